#!/usr/bin/env python3
"""Shows each check of tidy.py one tree that passes and one that does not. Runs as the ctest `tidy_self`."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import tidy  # noqa: E402

HEADER = "// What it is for.\n#pragma once\n"
GOOD = {
    "cmake/folders.cmake": "weir_folder(base)\nweir_folder(net DEPS base)\nweir_folder(route DEPS net)\n",
    "src/base/result.h": HEADER,
    "src/base/README.md": "Vocabulary.\n",
    "src/net/core.cc": '#include "base/result.h"\n#include <thread>\nstd::thread t;\n',
    "src/net/README.md": "Sockets.\n",
    "src/route/place.cc": '#include "net/core.h"\n// switch (co_await x) is a trap\nconst char* s = "getenv(";\n',
    "src/route/README.md": "Choice.\n",
}


def found(change):
    """The findings for GOOD with `change` laid over it; a value of None removes the file."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD, **change}.items():
            if text is not None:
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return tidy.findings(folder)


class Tidy(unittest.TestCase):
    def one(self, change, *words):
        result = found(change)
        self.assertEqual(len(result), 1, result)
        for word in words:
            self.assertIn(word, result[0])

    def test_good_tree_passes(self):
        self.assertEqual(found({}), [])

    def test_a_lower_layer_must_not_include_a_higher_one(self):
        result = found({"src/base/up.cc": '#include "net/core.h"\n'})
        self.assertTrue(any("base must not include net" in r for r in result), result)

    def test_stages_never_include_each_other(self):
        result = found({"src/edge/a.cc": '#include "route/place.h"\n', "src/edge/README.md": "x\n"})
        self.assertTrue(any("edge must not include route" in r for r in result), result)

    def test_mocker_sees_no_stage_and_nobody_but_the_gateway_sees_the_mocker(self):
        cmake = GOOD["cmake/folders.cmake"]
        result = found({"src/mocker/a.cc": '#include "route/place.h"\n', "src/mocker/README.md": "x\n",
                        "src/route/b.cc": '#include "mocker/a.h"\n', "cmake/folders.cmake": cmake + "weir_folder(mocker DEPS net)\n"})
        self.assertTrue(any("mocker must not include route" in r for r in result), result)
        self.assertTrue(any("route must not include mocker" in r for r in result), result)

    def test_tests_may_include_anything(self):
        self.assertEqual(found({"src/base/a_test.cc": '#include "net/core.h"\n#include "tests/support/x.h"\n'}), [])

    def test_unknown_folder(self):
        result = found({"src/misc/a.cc": "\n", "src/misc/README.md": "x\n"})
        self.assertTrue(any("has no layer" in r for r in result), result)

    def test_include_without_folder(self):
        self.one({"src/net/a.cc": '#include "core.h"\n'}, "not rooted")

    def test_sources_must_not_include_test_support(self):
        self.one({"src/net/a.cc": '#include "tests/support/split.h"\n'}, "only tests include")

    def test_build_line_missing(self):
        self.one({"cmake/folders.cmake": "weir_folder(base)\nweir_folder(net DEPS base)\n"}, "no weir_folder line for src/route")

    def test_build_lines_out_of_order(self):
        result = found({"cmake/folders.cmake": "weir_folder(base)\nweir_folder(route DEPS base)\nweir_folder(net DEPS base)\n"})
        self.assertTrue(any("later layer" in r for r in result), result)

    def test_dependency_not_listed(self):
        self.one({"cmake/folders.cmake": "weir_folder(base)\nweir_folder(net)\nweir_folder(route DEPS net)\n"}, "does not list it in DEPS")

    def test_dependency_upwards(self):
        self.one({"cmake/folders.cmake": "weir_folder(base)\nweir_folder(net DEPS base route)\nweir_folder(route DEPS net)\n"},
                 "net must not depend on route")

    def test_file_too_long(self):
        self.one({"src/net/a.cc": "\n" * 501}, "501 lines, at most 500")

    def test_line_too_long(self):
        self.one({"src/net/a.cc": "int a; //" + "x" * 200 + "\n"}, "characters in one line")

    def test_tab(self):
        self.one({"src/net/a.cc": "\tint a;\n"}, "tab")

    def test_header_without_pragma_once(self):
        self.one({"src/net/a.h": "// Why.\n"}, "no #pragma once")

    def test_header_that_does_not_say_why(self):
        self.one({"src/net/a.h": "#pragma once\n"}, "first line")

    def test_readme_missing(self):
        self.one({"src/net/README.md": None}, "src/net: no README.md")

    def test_heavy_header_in_a_header(self):
        self.one({"src/net/a.h": HEADER + "#include <openssl/ssl.h>\n"}, "openssl in a header")

    def test_heavy_header_in_too_many_files(self):
        self.one({f"src/net/a{i}.cc": "#include <nghttp2/nghttp2.h>\n" for i in range(4)}, "nghttp2 is included by 4 files, at most 3")

    def test_empty_words_in_names(self):
        self.one({"src/net/socket_utils.cc": "\n"}, "'utils' says nothing")
        self.one({"src/net/a.cc": "class PoolManager {};\n"}, "PoolManager says nothing")

    def test_patterns(self):
        for code, word in [("switch (co_await x) {}", "switch on co_await"), ("auto f = [](int a) -> Task<int> {", "coroutine lambda"),
                           ("std::coroutine_handle<> await_suspend(H h);", "symmetric transfer"), ("getenv(name);", "getenv"),
                           ("std::atomic<std::shared_ptr<int>> p;", "atomic shared_ptr"), ("std::this_thread::sleep_for(x);", "sleep"),
                           ("std::thread t;", "std::thread"), ("using namespace std;", "using namespace std")]:
            with self.subTest(code):
                self.one({"src/route/a.cc": code + "\n"}, word)

    def test_thread_traits_are_not_threads(self):
        self.assertEqual(found({"src/route/a.cc": "auto n = std::thread::hardware_concurrency();\n"}), [])

    def test_places_outside_the_repository(self):
        self.one({"docs/a.md": "see " + "/wo" + "rk/shared/x\n"}, "names a place outside")
        self.one({"tests/a.py": "open('.." + "/shared/x')\n"}, "names a place outside")

    def test_option_that_nobody_reads(self):
        row = 'row("a.x", WEIR_FIELD(limits.x_ms), integer(), "1", "help"),\n'
        extra = {"src/config/options/rows.cc": row, "src/config/README.md": "x\n", "src/config/config.h": HEADER,
                 "src/net/b.cc": '#include "config/config.h"\nint y = config.limits.z_ms;\n', "cmake/folders.cmake":
                 GOOD["cmake/folders.cmake"].replace("weir_folder(net DEPS", "weir_folder(config)\nweir_folder(net DEPS config")}
        self.one(extra, "limits.x_ms is read by nobody")
        for reader in ("int y = config.limits.x_ms;", "int f(const LimitsConfig& c) { return c.x_ms; }"):
            self.assertEqual(found({**extra, "src/net/b.cc": f'#include "config/config.h"\n{reader}\n'}), [])


if __name__ == "__main__":
    unittest.main()
