// What transformers does around a template: the messages made ready, and a final message that is to be continued.
#pragma once
#include "template/chat_template.h"
#include "template/heap.h"

namespace weir::jinja {

struct Conversation {
    Value messages, tools, documents;
    bool continues = false;
    Str final_text;              // what is to be continued
};
// Reads and checks the input, fills the names reasoning goes by, and marks the end of the final message when it is continued.
// Raises TypeError and ValueError as transformers does.
Conversation read_conversation(Heap&, const ChatInput&, Str source);
// Where the text ends that the model continues; ValueError when the template dropped the final message.
size_t end_of_final_message(const Conversation&, Str rendered);

}  // namespace weir::jinja
