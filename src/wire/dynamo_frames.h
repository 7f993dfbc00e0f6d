// Frames of Dynamo's tcp request plane and of the call-home stream, as both ends write and read them. Payloads are engine/'s business.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "types/doc.h"

namespace weir {

enum class PayloadCodec : uint8_t { msgpack, json };
const char* name(PayloadCodec);

// --- request: u16 path length, path, u16 header length, JSON object of strings, u32 payload length, payload ---
struct RequestFrame { Str path, headers, payload; };
inline constexpr size_t request_message_max = 32 * 1024 * 1024;   // what a worker takes unless told otherwise, of the whole frame
// Everything before the payload. False (nothing appended): a part is too long for its length field, or the whole for the bound.
bool append_request_head(std::string& out, Str path, Str headers, size_t payload_bytes, size_t message_max = request_message_max);
class RequestFrameReader {             // the worker's end
public:
    explicit RequestFrameReader(size_t message_max = request_message_max) : message_max_(message_max) {}
    bool next(Str& bytes, RequestFrame& out);   // as TwoPartReader::next
    bool bad() const { return bad_; }
    bool mid_message() const { return !held_.empty() && !given_; }

private:
    static size_t whole(Str so_far);   // bytes of the frame that begins here, as far as known; more than so_far when that is cut
    const size_t message_max_;
    std::string held_;
    bool given_ = false, bad_ = false;
};

// --- acknowledgement: u32 length, text; strictly in the order of the requests ---
inline constexpr size_t ack_text_max = 64 * 1024;
void append_ack(std::string& out, Str text);   // empty: taken
class AckReader {
public:
    bool next(Str& bytes, Str& text);  // as TwoPartReader::next
    bool bad() const { return bad_; }

private:
    std::string held_;
    bool given_ = false, bad_ = false;
};
// ok for success, and for any text nobody knows (as the peer has it). overloaded, unavailable: another worker may be asked.
enum class AckKind : uint8_t { ok, overloaded, unavailable };
AckKind ack_kind(Str text);

// --- header of a request's two-part payload ---
inline constexpr size_t control_header_max = 128 * 1024;
struct ControlHeader {
    std::string id, address, subject;  // request; where to call home; which stream
    PayloadCodec codec = PayloadCodec::json;
    std::string context;               // of connection_info; empty: the id
    std::vector<std::pair<std::string, std::string>> metadata;
    uint64_t sent_at_ns = 0;           // unix; 0: not said
    bool many_in = false;              // read only: a second stream carries the request's frames
};
void append_control_header(std::string& out, const ControlHeader&);
Result<ControlHeader> read_control_header(Str json);   // Failure: bad_json, bad_field

// --- headers on the call-home stream ---
void append_handshake(std::string& out, Str subject);  // a whole two-part message
Result<std::string> read_handshake(Str header);        // the subject of a response stream; bad_json, bad_field
void append_prologue(std::string& out, Str error);     // a whole message; empty: the stream begins
// ok: the stream begins. Else what the worker says: engine_status with its text, or engine_garbage.
Result<void> read_prologue(Str header);
enum class StreamWord : uint8_t { none, sentinel, stop, kill };
StreamWord stream_word(Str header);                    // none: some other text
void append_stream_word(std::string& out, StreamWord); // a whole message

// An endpoint's address as discovery has it: "host:port/path". Failure: bad_field.
struct PlaneAddress { std::string host; uint16_t port = 0; std::string path; };
Result<PlaneAddress> read_plane_address(Str text);

// The error object of a worker, either generation of it (error_type and message, or class, reason and public).
struct WorkerError {
    std::string message, kind;
    std::string shown;                 // what clients may read; empty: nothing is for them
    int status = 500;                  // in HTTP's words
    bool retriable = false;            // the worker was lost or full, not the request wrong
};
WorkerError read_worker_error(Str json);               // `json` is one valid value

}  // namespace weir
