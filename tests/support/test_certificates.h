// Certificates for tests of TLS, made by the openssl tool in a folder that goes with the process.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace weir::test {

// A CA, a server certificate for localhost and 127.0.0.1, a client certificate, and one signed by nobody.
struct Certificates {
    std::filesystem::path dir;
    Certificates() {
        char name[] = "/tmp/weir_tls_XXXXXX";
        dir = mkdtemp(name);
        make("ca", "", "/CN=test ca", "basicConstraints=critical,CA:TRUE");
        make("server", "ca", "/CN=localhost", "subjectAltName=DNS:localhost,IP:127.0.0.1");
        make("other", "ca", "/CN=other", "subjectAltName=DNS:other.test");
        make("client", "ca", "/CN=client", "extendedKeyUsage=clientAuth");
        make("stranger", "", "/CN=stranger", "extendedKeyUsage=clientAuth");
    }
    ~Certificates() { std::filesystem::remove_all(dir); }
    void make(const std::string& name, const std::string& ca, const std::string& subject, const std::string& extension) {
        std::string base = path(name);
        std::string request = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '" + subject + "' -keyout " + base + ".key";
        std::string command = request + " -x509 -days 3650 -addext '" + extension + "' -out " + base + ".pem";
        if (!ca.empty()) {   // OpenSSL 3.0's req signs only itself: a request, then x509
            std::ofstream(base + ".ext") << extension << "\n";
            command = request + " -out " + base + ".csr && openssl x509 -req -days 3650 -CAcreateserial -in " + base + ".csr -CA " + cert(ca) +
                      " -CAkey " + key(ca) + " -extfile " + base + ".ext -out " + base + ".pem";
        }
        EXPECT_EQ(std::system(("(" + command + ") 2>/dev/null").c_str()), 0) << command;
    }
    std::string path(const std::string& name) const { return (dir / name).string(); }
    std::string cert(const std::string& name) const { return path(name) + ".pem"; }
    std::string key(const std::string& name) const { return path(name) + ".key"; }
};
inline Certificates& certificates() {
    static Certificates c;
    return c;
}

}  // namespace weir::test
