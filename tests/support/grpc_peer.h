// A gRPC server that does what a test says, on the test's own loop. Calls come in by themselves; answers are the test's business.
#pragma once
#include <nghttp2/nghttp2.h>

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/net_loop.h"
#include "wire/grpc.h"

namespace weir::test {

class GrpcPeer {
    struct Connection;

public:
    struct Call {
        std::string path, metadata;              // "name: value\n" lines without pseudo fields
        std::vector<std::string> messages;       // of the client
        bool client_ended = false, gone = false; // gone: reset by the client, or its connection ended
        GrpcReader reader{64 * 1024 * 1024};
        std::string out, trailers_status, trailers_text;
        Connection* at = nullptr;
        int32_t id = 0;
        bool headed = false, finished = false;
    };
    explicit GrpcPeer(NetLoop& loop) : loop(loop) { tasks.spawn(accept_loop()); }
    ~GrpcPeer() {
        tasks.cancel();
        if (acceptor.watched) loop.core.epoll().forget(listener.fd, acceptor);
    }

    void send(Call& call, std::string_view message) {
        std::string framed;
        append_grpc_message(framed, message);
        send_raw(call, framed);
    }
    void send_raw(Call& call, std::string_view bytes, const char* content_type = "application/grpc") {
        if (call.gone) return;
        head(call, "200", content_type);
        call.out += bytes;
        nghttp2_session_resume_data(call.at->session, call.id);
        call.at->flush();
    }
    void finish(Call& call, GrpcCode code, const std::string& text = {}) {
        if (call.gone) return;
        head(call, "200", "application/grpc");
        call.trailers_status = std::to_string(static_cast<int>(code));
        call.trailers_text = grpc_message_encoded(text);
        call.finished = true;
        nghttp2_session_resume_data(call.at->session, call.id);
        call.at->flush();
    }
    // An answer that is all head. An empty grpc_status: none is said.
    void refuse(Call& call, const char* http_status, const std::string& grpc_status, const std::string& text = {}) {
        if (call.gone) return;
        const nghttp2_nv fields[] = {pair(":status", http_status), pair("content-type", grpc_status.empty() ? "text/html" : "application/grpc"),
                                     pair("grpc-status", grpc_status), pair("grpc-message", text)};
        nghttp2_submit_response(call.at->session, call.id, fields, grpc_status.empty() ? 2 : 4, nullptr);
        call.at->flush();
    }
    void reset(Call& call) {
        nghttp2_submit_rst_stream(call.at->session, NGHTTP2_FLAG_NONE, call.id, NGHTTP2_INTERNAL_ERROR);
        call.at->flush();
    }
    void drop() {                                // cuts all connections
        for (Connection* c : connections) ::shutdown(c->socket.fd(), SHUT_RDWR);
    }

    NetLoop& loop;
    ListenSocket listener;
    std::deque<Call> calls;
    size_t accepted = 0;
    bool mute = false;                           // reads nothing any more
    std::function<void(Call&)> on_message;       // messages.back() is new
    std::function<void(Call&)> on_call;

private:
    struct Connection {
        GrpcPeer& peer;
        SocketTransport socket;
        nghttp2_session* session = nullptr;
        Connection(GrpcPeer& peer, int fd) : peer(peer), socket(fd) { peer.connections.push_back(this); }
        ~Connection() {
            std::erase(peer.connections, this);
            for (Call& call : peer.calls)
                if (call.at == this) call.gone = true;
            nghttp2_session_del(session);
        }
        void flush() {
            if (flushing) return;
            flushing = true;
            const uint8_t* bytes = nullptr;
            std::string all;
            for (ssize_t n; (n = nghttp2_session_mem_send(session, &bytes)) > 0;) all.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
            const iovec piece{all.data(), all.size()};
            if (!all.empty()) socket.send_large(&piece, 1);
            flushing = false;
        }
        bool flushing = false;
    };
    struct Acceptor final : Watched {
        bool watched = false;
        Signal ready;
        void on_events(uint32_t) override { ready.notify(); }
    } acceptor;

    static nghttp2_nv pair(std::string_view name, std::string_view value) {
        auto bytes = [](std::string_view v) { return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(v.data())); };
        return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
    }
    static Call* call_of(nghttp2_session* s, int32_t id) { return static_cast<Call*>(nghttp2_session_get_stream_user_data(s, id)); }
    void head(Call& call, const char* status, const char* content_type) {
        if (std::exchange(call.headed, true)) return;
        const nghttp2_nv fields[] = {pair(":status", status), pair("content-type", content_type)};
        nghttp2_data_provider provider{{.ptr = &call}, &GrpcPeer::read_out};
        nghttp2_submit_response(call.at->session, call.id, fields, 2, &provider);
    }
    static ssize_t read_out(nghttp2_session* s, int32_t id, uint8_t* to, size_t n, uint32_t* flags, nghttp2_data_source* source, void*) {
        Call& call = *static_cast<Call*>(source->ptr);
        const size_t take = std::min(n, call.out.size());
        std::copy_n(call.out.data(), take, to);
        call.out.erase(0, take);
        if (!call.out.empty() || (take > 0 && !call.finished)) return static_cast<ssize_t>(take);
        if (!call.finished) return NGHTTP2_ERR_DEFERRED;
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const nghttp2_nv fields[] = {pair("grpc-status", call.trailers_status), pair("grpc-message", call.trailers_text)};
        nghttp2_submit_trailer(s, id, fields, 2);
        return static_cast<ssize_t>(take);
    }
    static nghttp2_session_callbacks* callbacks() {
        nghttp2_session_callbacks* k = nullptr;
        nghttp2_session_callbacks_new(&k);
        nghttp2_session_callbacks_set_on_begin_headers_callback(k, [](nghttp2_session* s, const nghttp2_frame* f, void* user) -> int {
            auto& c = *static_cast<Connection*>(user);
            Call& call = c.peer.calls.emplace_back();
            call.at = &c;
            call.id = f->hd.stream_id;
            nghttp2_session_set_stream_user_data(s, f->hd.stream_id, &call);
            return 0;
        });
        nghttp2_session_callbacks_set_on_header_callback(
            k, [](nghttp2_session* s, const nghttp2_frame* f, const uint8_t* name, size_t name_n, const uint8_t* value, size_t value_n, uint8_t, void*) -> int {
                const std::string_view n(reinterpret_cast<const char*>(name), name_n), v(reinterpret_cast<const char*>(value), value_n);
                Call* call = call_of(s, f->hd.stream_id);
                if (n == ":path") call->path = v;
                if (!n.starts_with(':')) call->metadata.append(n).append(": ").append(v).append("\n");
                return 0;
            });
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
            k, [](nghttp2_session* s, uint8_t, int32_t id, const uint8_t* data, size_t n, void* user) -> int {
                Call* call = call_of(s, id);
                std::string_view bytes(reinterpret_cast<const char*>(data), n), message;
                while (call->reader.next(bytes, message)) {
                    call->messages.emplace_back(message);
                    auto& peer = static_cast<Connection*>(user)->peer;
                    if (peer.on_message) peer.on_message(*call);
                }
                return 0;
            });
        nghttp2_session_callbacks_set_on_frame_recv_callback(k, [](nghttp2_session* s, const nghttp2_frame* f, void* user) -> int {
            Call* call = f->hd.stream_id ? call_of(s, f->hd.stream_id) : nullptr;
            if (!call) return 0;
            const bool data_or_head = f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS;
            if (data_or_head && f->hd.flags & NGHTTP2_FLAG_END_STREAM) call->client_ended = true;
            auto& peer = static_cast<Connection*>(user)->peer;
            if (f->hd.type == NGHTTP2_HEADERS && peer.on_call) peer.on_call(*call);
            return 0;
        });
        nghttp2_session_callbacks_set_on_stream_close_callback(k, [](nghttp2_session* s, int32_t id, uint32_t, void*) -> int {
            if (Call* call = call_of(s, id)) call->gone = true;
            return 0;
        });
        return k;
    }
    Task<void> accept_loop() {
        loop.core.epoll().watch(listener.fd, acceptor);
        acceptor.watched = true;
        for (;;) {
            const int fd = ::accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) co_await acceptor.ready.wait();
            else accepted++, tasks.spawn(serve(fd));
        }
    }
    Task<void> serve(int fd) {
        Connection c(*this, fd);
        static nghttp2_session_callbacks* calls_to = callbacks();
        nghttp2_session_server_new(&c.session, calls_to, &c);
        nghttp2_submit_settings(c.session, NGHTTP2_FLAG_NONE, nullptr, 0);
        c.flush();
        for (;;) {
            auto got = co_await c.socket.recv();
            if (got.n <= 0) co_return;
            if (mute) continue;
            const std::string bytes(got.view());
            c.flushing = true;
            const ssize_t n = nghttp2_session_mem_recv(c.session, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
            c.flushing = false;
            c.flush();
            if (n < 0) co_return;
        }
    }
    std::vector<Connection*> connections;
    Nursery tasks;                               // ends before what it uses
};

}  // namespace weir::test
