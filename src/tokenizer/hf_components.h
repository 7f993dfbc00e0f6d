// The components of a tokenizer.json, from JSON values to specs: with the fields the reference demands, its defaults, and its way of
// telling a component by its fields when "type" is absent or of an older name.
#pragma once
#include "base/result.h"
#include "tokenizer/hf_value.h"
#include "tokenizer/spec.h"

namespace weir::tok {

// `where` is the component's place in the file ("normalizer", "decoder.decoders[1]"), for error messages. Fails with bad_field.
Result<NormalizerSpec> read_normalizer(const HfValue&, const std::string& where);
Result<PreTokenizerSpec> read_pre_tokenizer(const HfValue&, const std::string& where);
Result<PostProcessorSpec> read_post_processor(const HfValue&, const std::string& where);
Result<DecoderSpec> read_decoder(const HfValue&, const std::string& where);

}  // namespace weir::tok
