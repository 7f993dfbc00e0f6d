// Cost of one typical request head, by hand: g++ -O2 -std=c++20 -Isrc src/wire/http1_{bench,head,lines,write,body}.cc && ./a.out
#include <chrono>
#include <cstdio>
#include <cstring>

#include "wire/http1.h"

int main() {
    const char* head =
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8000\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate\r\n"
        "Connection: keep-alive\r\nContent-Type: application/json\r\nAuthorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n"
        "User-Agent: OpenAI/Python 1.99.0\r\nX-Stainless-Lang: python\r\nX-Request-Id: 0b9f6a3c-2f0a-4f43-9a40-3a9b0a6f6f11\r\n"
        "Content-Length: 812\r\n\r\n{\"model\":\"m\",\"messages\":[]}";
    const std::string_view bytes(head);
    weir::HeaderSpace space;
    weir::RequestHead out;
    weir::BadHead bad;
    constexpr int rounds = 2'000'000;
    for (int rep = 0; rep < 3; ++rep) {
        uint64_t sum = 0;
        const auto t0 = std::chrono::steady_clock::now();
        for (int i = 0; i < rounds; ++i) {
            asm volatile("" ::"r"(bytes.data()) : "memory");
            sum += parse_request_head(bytes, space, out, bad) == weir::Parse::done ? out.head_bytes : 0;
        }
        const double ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - t0).count() / rounds;
        std::printf("%zu headers, %u bytes: %.0f ns a head (%s)\n", out.headers.size(), out.head_bytes, ns, sum ? "ok" : "bad");
    }
}
