"""Random Jinja templates over all operators, filters, tests, methods and statements, and random conversations. See templates_live.py."""
import json
import random

TEXTS = ["", "a", "Hello World", "  padded \n", "ünïcode Straße ΑΣ ǅ", "你好，世界 🌍", "it's \"quoted\" \\ back", "<b>&amp;</b>", "a,b,,c", "one two  three\tfour",
         "line1\nline2\r\nline3\n\nline5", "42", " -7 ", "3.14", "1e3", "0x1f", "key=value", "x" * 30, "{0} and {name!r:>8}", "%s is %d", "TITLE case-word (x)",
         "tab\there", "nul\x00\x7f\u00a0\u200b\u2028end", "a-b-c d_e", "ß", "İ", "ﬁ", "12 34", "no-break\u00a0space", "</think> body <think>x"]
NAMES = ["i", "neg", "zero", "f", "g", "s", "t1", "multi", "html", "words", "nums", "mixed", "users", "d", "empty_list", "empty_dict", "empty_text", "nothing", "yes",
         "no", "messages", "tools", "nope", "deep", "loopy"]
ATTRS = ["name", "age", "tags", "role", "content", "a", "b", "missing", "items", "keys", "0", "get", "append", "upper", "__class__", "_private", "x"]


def context(rng):
    user = lambda: {"name": rng.choice(["Ann", "bob", "Čeněk", "dora", "Bob"]), "age": rng.choice([1, 2.5, 30, 7]), "active": rng.random() < 0.5,
                    "tags": rng.sample(["x", "y", "z"], rng.randint(0, 3))}
    return {"i": rng.randint(0, 12), "neg": -rng.randint(1, 9), "zero": 0, "f": rng.choice([0.5, -1.25, 1e16, 1e-7, 3.0, 2.675, 123456.789]), "g": rng.random() * 100,
            "s": rng.choice(TEXTS), "t1": rng.choice(TEXTS), "multi": "first line\n  second\n\nlast", "html": "<a href='x'>T & \"q\"</a>",
            "words": rng.sample(["pear", "Apple", "fig", "apple", "Zoo", "éclair"], 4), "nums": [rng.randint(-5, 9) for _ in range(5)],
            "mixed": [1, "1", 1.0, True, None, [2, "b"], {"k": "v"}], "users": [user() for _ in range(rng.randint(1, 4))],
            "d": {"b": 2, "a": 1, "C": [1, 2], "items": "shadow", "n": None, "ключ": "ü"}, "empty_list": [], "empty_dict": {}, "empty_text": "", "nothing": None,
            "yes": True, "no": False, "deep": {"x": {"y": [{"z": "bottom"}]}, "l": [[1, 2], [3, 4]]},
            "loopy": [{"v": "r1", "kids": [{"v": "r1a", "kids": []}, {"v": "r1b", "kids": [{"v": "r1b1", "kids": []}]}]}, {"v": "r2", "kids": []}]}


def quoted(text):
    return json.dumps(text, ensure_ascii=False) if "\x00" not in text and "\x7f" not in text else '"q"'


class Maker:
    def __init__(self, rng):
        self.rng, self.vars, self.macros = rng, [], []

    def pick(self, *options):
        choice = self.rng.choice(options)
        return choice() if callable(choice) else choice

    def name(self):
        return self.rng.choice(NAMES + self.vars * 3)

    def literal(self):
        rng = self.rng
        return self.pick(str(rng.randint(0, 20)), rng.choice(["1.5", "0.1", "1e3", "2.0", "0x1F", "1_000", "0b11", "0o17"]), lambda: quoted(rng.choice(TEXTS)), "true", "none", "False",
                         "'it''s'", r"'\n\t\u00e9\x41\\'")

    def text(self, depth):
        return self.pick(lambda: quoted(self.rng.choice(TEXTS)), "s", "t1", "multi", "html", lambda: self.expr(depth - 1))

    def small(self):
        return str(self.rng.randint(-4, 6))

    def iterable(self, depth):
        return self.pick("words", "nums", "mixed", "users", "d", "s", "range(4)", "d.items()", "empty_list", "messages", "deep.l", "nope", "range(5, 0, -2)",
                         lambda: f"[{self.expr(depth - 1)}, {self.expr(depth - 1)}]", lambda: self.expr(depth - 1), "words|map('upper')", "d|dictsort", "d|items")

    def args(self, *options):
        return "(" + ", ".join(self.pick(o) if callable(o) else o for o in options if self.rng.random() < 0.8) + ")"

    def filter(self, depth):
        e, rng = (lambda: self.expr(depth - 1)), self.rng
        attr = lambda: rng.choice(["'name'", "'age'", "'tags.0'", "'tags'", "0", "'missing'", "'active'", "'content'", "'x.y'"])
        test = lambda: rng.choice(["'odd'", "'string'", "'defined'", "'none'", "'equalto', 1", "'in', [1, 2, '1']", "'number'", "'gt', 2", "'bogus'", "'mapping'", "'true'"])
        flag = lambda: rng.choice(["true", "false"])
        rows = {"abs": "", "attr": lambda: f"('{rng.choice(ATTRS)}')", "batch": lambda: f"({rng.randint(1, 3)})|list" if rng.random() < 0.5 else f"({rng.randint(1, 3)}, 'fill')|list",
                "capitalize": "", "center": lambda: f"({rng.randint(0, 20)})", "count": "", "d": lambda: f"({e()})", "default": lambda: f"({e()}, {flag()})",
                "dictsort": lambda: rng.choice(["", "(true)", "(false, 'value')", "(reverse=true)", "(by='bad')"]), "e": "", "escape": "", "filesizeformat": lambda: rng.choice(["", "(true)"]),
                "first": "", "float": lambda: rng.choice(["", "(1.5)"]), "forceescape": "", "format": lambda: f"({e()}, {e()})",
                "groupby": lambda: f"({attr()})|list", "indent": lambda: rng.choice(["", "(2)", "(2, true)", "('> ', blank=true)", "(first=true)"]),
                "int": lambda: rng.choice(["", "(5)", "(0, 16)", "(base=2)"]), "join": lambda: rng.choice(["", "(', ')", "('|', attribute='name')"]), "last": "", "length": "",
                "list": "", "lower": "", "items": "|list", "map": lambda: rng.choice([f"(attribute={attr()})|list", "('upper')|list", "('default', 'x')|list", f"(attribute={attr()}, default='?')|list", "('length')|list", "()|list", "('bogus')|list", "('int')|join(' ')"]),
                "min": lambda: rng.choice(["", "(attribute='age')", "(true)"]), "max": lambda: rng.choice(["", "(attribute='name')"]), "reject": lambda: f"({test()})|list",
                "rejectattr": lambda: f"({attr()}, {test()})|list", "replace": lambda: f"({self.text(0)}, {self.text(0)})" + "" if rng.random() < 0.7 else "('a', 'b', 1)",
                "reverse": lambda: rng.choice(["", "|list"]), "round": lambda: rng.choice(["", "(1)", "(2, 'floor')", "(1, 'ceil')", "(-1)", "(0, 'bad')"]), "safe": "",
                "select": lambda: rng.choice(["()|list", f"({test()})|list"]), "selectattr": lambda: rng.choice([f"({attr()})|list", f"({attr()}, {test()})|list"]),
                "slice": lambda: f"({rng.randint(1, 4)})|list", "sort": lambda: rng.choice(["", "(reverse=true)", "(true, true)", "(attribute='name')", "(attribute='age,name')", "(case_sensitive=true)"]),
                "string": "", "striptags": "", "sum": lambda: rng.choice(["", "(attribute='age')", "(start=10)"]), "title": "", "trim": lambda: rng.choice(["", "('xa ')", "(none)"]),
                "truncate": lambda: rng.choice(["(9)", "(9, true)", "(5, end='~', leeway=0)", "(3, leeway=2)"]), "unique": lambda: rng.choice(["|list", "(true)|list", "(attribute='age')|list"]),
                "upper": "", "urlencode": "", "wordcount": "", "xmlattr": lambda: rng.choice(["", "(false)"]),
                "tojson": lambda: rng.choice(["", "(indent=2)", "(ensure_ascii=true)", "(sort_keys=true)", "(separators=(',', ':'))", "(indent=1, separators=(', ', ' : '))", "(indent='\t')"]),
                "wordwrap": lambda: rng.choice(["(8)", "(5, false)", "(12, wrapstring='|')"])}
        name = rng.choice(list(rows))
        tail = rows[name]
        return f"({e()})|{name}{tail() if callable(tail) else tail}"

    def method(self, depth):
        rng, e = self.rng, (lambda: self.expr(depth - 1))
        t = lambda: quoted(rng.choice(["a", " ", ",", "xx", "l", "\n", "e", "", "Hello", "ü"]))
        rows = ["split()", lambda: f"split({t()})", lambda: f"split({t()}, 1)", lambda: f"rsplit({t()}, 1)", "strip()", lambda: f"strip({t()})", "lstrip()", "rstrip()", lambda: f"rstrip({t()})",
                "upper()", "lower()", "title()", "capitalize()", "swapcase()", "casefold()", lambda: f"startswith({t()})", lambda: f"endswith(({t()}, {t()}))", lambda: f"replace({t()}, {t()})",
                lambda: f"replace({t()}, {t()}, {self.small()})", lambda: f"find({t()})", lambda: f"rfind({t()}, 1)", lambda: f"index({t()})", lambda: f"count({t()})", lambda: f"partition({t()})",
                lambda: f"rpartition({t()})", "splitlines()", "splitlines(true)", lambda: f"join({self.iterable(0)})", "isdigit()", "isalpha()", "isalnum()", "isspace()", "isupper()", "islower()",
                "istitle()", "isnumeric()", "isdecimal()", "isascii()", "isidentifier()", "isprintable()", lambda: f"ljust({rng.randint(0, 15)}, '*')", lambda: f"rjust({rng.randint(0, 15)})",
                lambda: f"center({rng.randint(0, 15)}, '.')", "zfill(6)", "expandtabs(4)", lambda: f"removeprefix({t()})", lambda: f"removesuffix({t()})", lambda: f"format({e()}, name={e()})",
                "items()|list", "keys()|list", "values()|list", "get('a')", lambda: f"get({e()}, {e()})", "copy()", lambda: f"index({e()})", lambda: f"count({e()})", "append(1)", "pop()", "update({})",
                "bit_length()", "is_integer()", "encode_it()", "items()", "keys()"]
        return f"({self.text(depth) if rng.random() < 0.7 else e()}).{self.pick(*rows)}"

    def test(self, depth):
        rng, e = self.rng, (lambda: self.expr(depth - 1))
        names = ["odd", "even", "divisibleby 3", "divisibleby(2)", "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "lower", "upper", "string", "mapping", "number",
                 "sequence", "iterable", "callable", "escaped", lambda: f"sameas {self.pick('none', 'true', 's', 'i')}", lambda: f"in({self.iterable(0)})", lambda: f"eq {self.literal()}",
                 lambda: f"gt({e()})", lambda: f"lessthan({e()})", lambda: f"!= {self.literal()}" if False else "ne 1", "filter", "test"]
        return f"({e()}) is {'not ' if rng.random() < 0.3 else ''}{self.pick(*names)}"

    def spec(self):
        rng = self.rng
        out = rng.choice(["", "*<", ">", "^", "=", "0=", "é^"]) + rng.choice(["", "+", " "]) + rng.choice(["", "#"]) + rng.choice(["", "0"]) + rng.choice(["", "8", "12"])
        return out + rng.choice(["", ",", "_"]) + rng.choice(["", ".2", ".0", ".5"]) + rng.choice(["", "d", "f", "e", "g", "s", "x", "b", "%", "X", "o", "c"])

    def expr(self, depth=3):
        if depth <= 0:
            return self.pick(self.name, self.literal)
        rng, e = self.rng, (lambda: self.expr(depth - 1))
        kind = rng.random()
        if kind < 0.16:
            return self.pick(self.name, self.literal)
        if kind < 0.36:
            return self.filter(depth)
        if kind < 0.48:
            return self.method(depth)
        if kind < 0.56:
            return self.test(depth)
        if kind < 0.66:
            return f"({e()} {rng.choice(['+', '-', '*', '/', '//', '%', '**', '~', '+', '~'])} {e()})"
        if kind < 0.74:
            return f"({e()} {rng.choice(['==', '!=', '<', '<=', '>', '>=', 'in', 'not in', 'and', 'or'])} {e()})"
        return self.pick(
            lambda: f"({e()} if {e()} else {e()})", lambda: f"({e()} if {e()})", lambda: f"(not {e()})", lambda: f"(-{self.pick('i', 'f', '3', 'neg', 's')})",
            lambda: f"({e()}).{rng.choice(ATTRS)}", lambda: f"({e()})[{self.pick(self.small, e, lambda: quoted(rng.choice(ATTRS)))}]",
            # Not of constants alone: Jinja folds those at compile time, where a slice of what has none is undefined, not an error.
            lambda: f"({rng.choice([self.text, self.iterable])(depth)} if yes else no)[{rng.choice(['', self.small()])}:{rng.choice(['', self.small()])}{rng.choice(['', ':', ':-1', ':2', ':' + self.small()])}]",
            lambda: f"[{e()}, {e()}]", lambda: f"({e()}, {e()})", lambda: "{" + f"{self.literal()}: {e()}, 'k': {e()}" + "}", lambda: f"({e()} ~ {e()} ~ {e()})",
            lambda: f"({e()} < {e()} <= {e()})", lambda: f"range({self.small()})|list", lambda: f"dict(a={e()}, b={e()})", lambda: f"namespace(x={e()}).x",
            lambda: f"({quoted('{:' + self.spec() + '}')}).format({e()})", lambda: f"({quoted('%' + rng.choice(['s', 'd', '5d', '-8s|', '05.1f', 'x', '+d', 'r', '%', 'e', 'g', 'c', '(a)s', '#x', '.3s', 'i']))}) % {self.pick(e, 'd', lambda: f'({e()},)')}",
            lambda: f"{rng.choice(self.macros)}({e()})" if self.macros else "i", lambda: f"({e()} + {e()} + {e()})", lambda: f"({e()}|string)[::-1]")

    def body(self, depth):
        return "".join(self.statement(depth) for _ in range(self.rng.randint(1, 3)))

    def ws(self, text):
        """Random white space control and line ends around a tag."""
        rng = self.rng
        text = "{%" + rng.choice(["", "", "-", "+"]) + text[2:-2] + rng.choice(["", "", "-", "+" if not text.startswith("{% raw") else ""]) + "%}"
        return rng.choice(["", "", "  ", "\n", "\n  "]) + text + rng.choice(["", "", "\n", " ", "\n\n"])

    def target(self):
        name = self.rng.choice(["v1", "v2", "v3", "x", "s"])
        self.vars.append(name)
        return name

    def statement(self, depth=2):
        rng, w = self.rng, self.ws
        if depth <= 0 or rng.random() < 0.35:
            return self.pick(lambda: "{{ " + self.expr(3) + " }}", lambda: "{{- " + self.expr(2) + " -}}", lambda: rng.choice(["text ", "\n", " \n\t", "<|x|>", "}} %}", "é\n"]),
                             lambda: "{{ " + self.expr(2) + " }}\n", lambda: "{# note\n #}" + rng.choice(["\n", ""]))
        kind = rng.choice(["if", "for", "for", "set", "set", "block_set", "macro", "with", "filter", "ns", "raw", "loop", "recursive", "call", "generation", "for_dict", "break", "esc"])
        body = lambda: self.body(depth - 1)
        if kind == "if":
            return w("{% if " + self.expr(2) + " %}") + body() + (w("{% elif " + self.expr(2) + " %}") + body() if rng.random() < 0.4 else "") + (w("{% else %}") + body() if rng.random() < 0.5 else "") + w("{% endif %}")
        if kind == "for":
            name = self.target()
            test = f" if {self.expr(1)}" if rng.random() < 0.3 else ""
            return w(f"{{% for {name} in {self.iterable(2)}{test} %}}") + "{{ " + name + " }}" + body() + (w("{% else %}") + body() if rng.random() < 0.3 else "") + w("{% endfor %}")
        if kind == "loop":
            fields = ["index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem", "nextitem", "cycle('a', 'b')", "changed(v1)", "bogus"]
            return w(f"{{% for v1 in {self.iterable(2)} %}}") + "".join("{{ loop." + rng.choice(fields) + " }}," for _ in range(3)) + (body() if rng.random() < 0.5 else "") + w("{% endfor %}")
        if kind == "for_dict":
            return w("{% for k, v in " + rng.choice(["d.items()", "d|items", "d|dictsort", "users", "deep.l", "empty_dict.items()", "words", "mixed"]) + " %}") + "{{ k }}={{ v }}{{ loop.index if loop.last }};" + w("{% endfor %}")
        if kind == "break":
            return w(f"{{% for v2 in {self.iterable(1)} %}}") + w("{% if " + self.pick("loop.index > 1", "v2 == 1", lambda: self.expr(1)) + " %}") + w("{% " + rng.choice(["break", "continue"]) + " %}") + w("{% endif %}") + "{{ v2 }}" + w("{% else %}") + "none" + w("{% endfor %}")
        if kind == "recursive":
            return w("{% for n in loopy recursive %}") + "{{ loop.depth }}{{ n.v }}" + w("{% if n.kids %}") + "({{ loop(n.kids) }})" + w("{% endif %}") + w("{% endfor %}")
        if kind == "set":
            value = self.expr(3)
            return w("{% set " + (self.target() if rng.random() < 0.8 else "v1, v2") + " = " + value + " %}")
        if kind == "block_set":
            inner = body()
            return w("{% set " + self.target() + rng.choice(["", " | upper", " | trim"]) + " %}") + inner + w("{% endset %}")
        if kind == "ns":
            return w("{% set ns = namespace(n=0, found=false) %}") + w("{% for q in [1, 2, 3] %}") + w("{% set ns.n = ns.n + q %}") + body() + w("{% endfor %}") + "{{ ns.n }}{{ ns.found }}{{ ns.z }}"
        if kind == "macro":
            name = rng.choice(["m1", "m2"])
            text = w("{% macro " + name + "(p, q='dq', r=p) %}") + "[{{ p }}|{{ q }}|{{ r }}" + rng.choice(["", "{{ varargs }}", "{{ kwargs }}", "{{ caller() if caller else '' }}"]) + "]" + body() + w("{% endmacro %}")
            self.macros.append(name)
            return text + "{{ " + name + rng.choice(["(1)", "(1, 2, 3)", "(q=5, p=s)", "()", "(1, 2, 3, 4)", "(1, z=3)", "(*nums[:2])", "(**{'p': 'kw'})"]) + " }}"
        if kind == "call":
            return w("{% macro outer(a) %}") + "<{{ caller(a) }}>" + w("{% endmacro %}") + w("{% call(y) outer(" + self.expr(1) + ") %}") + "{{ y }}" + body() + w("{% endcall %}")
        if kind == "with":
            return w("{% with v3 = " + self.expr(2) + ", w = v3 %}") + "{{ v3 }}{{ w }}" + body() + w("{% endwith %}")
        if kind == "filter":
            return w("{% filter " + rng.choice(["upper", "trim", "replace('a', 'b')", "upper|lower", "indent(2)"]) + " %}") + body() + w("{% endfilter %}")
        if kind == "generation":
            return w("{% generation %}") + body() + w("{% endgeneration %}")
        if kind == "esc":
            return w("{% autoescape " + rng.choice(["true", "false"]) + " %}") + "{{ html }}{{ html|safe }}{{ s ~ html }}" + w("{% endautoescape %}")
        return w("{% raw %}") + "{{ not }} {% this %}" + w("{% endraw %}")

    def template(self):
        return "".join(self.statement(2) for _ in range(self.rng.randint(1, 4)))


def broken(rng, template):
    """Sometimes cut or damaged, for the errors of the parser."""
    if rng.random() < 0.06 and len(template) > 8:
        at = rng.randrange(len(template))
        return template[:at] + rng.choice(["", "{%", "}}", "{{", "'", "|", "(", "]", "%}", "{#", " end", "if"]) + template[at + rng.choice([0, 1, 5]):]
    return template


def conversation(rng):
    """(messages, parameters): roles, contents, tool calls, reasoning as clients send them."""
    content = lambda: rng.choice(TEXTS) if rng.random() < 0.8 else [{"type": "text", "text": rng.choice(TEXTS)} for _ in range(rng.randint(1, 3))]
    tool = lambda n: {"type": "function", "function": {"name": n, "description": rng.choice(TEXTS), "parameters": {"type": "object", "properties": {
        "p": {"type": rng.choice(["string", "integer", ["string", "null"]]), "description": rng.choice(TEXTS)}}, "required": rng.choice([[], ["p"]])}}}
    messages = [{"role": "system", "content": content()}] if rng.random() < 0.5 else []
    for turn in range(rng.randint(1, 4)):
        messages.append({"role": "user", "content": content()})
        answer = {"role": "assistant", "content": rng.choice([content(), "", None])}
        if rng.random() < 0.3:
            answer[rng.choice(["reasoning_content", "reasoning", "thinking"])] = rng.choice(TEXTS)
        if rng.random() < 0.4:
            arguments = {"p": rng.choice(TEXTS), "n": rng.choice([1, 2.5, None, True, [1, "x"], {"deep": {}}])}
            answer["tool_calls"] = [{"id": f"call{turn:05}", "type": "function", "function": {"name": "f1", "arguments": arguments if rng.random() < 0.6 else json.dumps(arguments)}}]
            messages += [answer, {"role": "tool", "tool_call_id": f"call{turn:05}", "name": "f1", "content": rng.choice(TEXTS)}]
        else:
            messages.append(answer)
    if rng.random() < 0.7 and messages[-1]["role"] == "assistant":
        messages.pop()
    parameters = {"add_generation_prompt": rng.random() < 0.7}
    if rng.random() < 0.4:
        parameters["tools"] = [tool("f1"), tool("f2")][:rng.randint(1, 2)]
    if rng.random() < 0.1:
        parameters["continue_final_message"] = True
    if rng.random() < 0.3:
        parameters["enable_thinking"] = rng.random() < 0.5
    return messages, parameters
