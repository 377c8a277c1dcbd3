"""Generated TOML documents, with the line on which each key was written."""

import json

from hypothesis import strategies as st

_SPACE = st.sampled_from(["", " ", "  ", "\t"])
_BARE = st.text("abcdefgh-_0123456789", min_size=1, max_size=4)
_PLAIN = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="'\"\\\x7f"), max_size=8
)
_TRICKY = st.sampled_from(
    ["#", "=", "[", "]", "{", "}", ",", "a.b", "[x]", "# not", "'", '"', '\\"', "x = 1", "]]", "é\u2028"]
)
_ANY = st.one_of(_PLAIN, _TRICKY, st.tuples(_TRICKY, _PLAIN).map("".join))


class Document:
    """A text as it grows. lines: path -> line of each key that was written."""

    def __init__(self, draw):
        self.draw = draw
        self.text = ""
        self.lines = {}
        self.count = 0
        self.tables = {(): None}
        self.arrays = {}

    @property
    def line(self):
        return self.text.count("\n") + 1

    def fill(self):
        """Top-level pairs, then blocks."""
        self.pairs(())
        for _ in range(self.draw(st.integers(0, 5))):
            self.blank()
            self.block()
        return self

    def name(self):
        """A new key and how it is written."""
        self.count += 1
        kind = self.draw(st.sampled_from(["bare", "basic", "literal"]))
        if kind == "bare":
            name = f"{self.draw(_BARE)}{self.count:03d}"
            return name, name
        if kind == "literal":
            name = f"{self.draw(_ANY)}{self.count:03d}".replace("'", "")
            return name, f"'{name}'"
        name = f"{self.draw(_ANY)}{self.count:03d}"
        return name, self.basic(name)

    def basic(self, text):
        """A basic string, its first character perhaps by number."""
        quoted = json.dumps(text, ensure_ascii=False)
        if text and quoted[1] != "\\" and self.draw(st.booleans()):
            return f'"\\U{ord(text[0]):08X}{quoted[2:]}'
        return quoted

    def blank(self):
        for _ in range(self.draw(st.integers(0, 2))):
            self.text += self.draw(st.sampled_from(["\n", "  \n", "# note [x] = \"'''\n", "\t# a = 1\n"]))

    def pairs(self, table):
        for _ in range(self.draw(st.integers(0, 3))):
            self.blank()
            self.text += self.draw(_SPACE)
            self.pair(table)
            self.text += self.draw(st.sampled_from(["", " ", " # end", "  # 'x\" = ["])) + "\n"

    def pair(self, table, depth=0):
        path, dot = table, ""
        for _ in range(self.draw(st.sampled_from([1, 1, 1, 2, 3]))):
            name, written = self.name()
            path = (*path, name)
            self.lines[path] = self.line
            self.text += dot + written
            dot = self.draw(st.sampled_from([".", " . "]))
        self.text += self.draw(_SPACE) + "=" + self.draw(_SPACE)
        self.value(path, depth)

    def value(self, path, depth):
        forms = ["1", "-2.5e3", "true", "1979-05-27T07:32:00Z", "0xff", "string", "literal", "long", "raw"]
        form = self.draw(st.sampled_from(forms + (["array", "inline"] if depth < 2 else [])))
        if form == "string":
            self.text += self.basic(self.draw(_ANY))
        elif form == "literal":
            self.text += "'" + self.draw(_ANY).replace("'", "") + "'"
        elif form == "long":
            self.text += (
                '"""'
                + self.draw(st.sampled_from(["", "\n", "a\nb = 1\n", '\\"""', '"', '""', "[x]\n#", "\\\n  "]))
                + '"""'
            )
        elif form == "raw":
            self.text += "'''" + self.draw(st.sampled_from(["", "\n", "a\nb = 1\n", "'", "''", "[x]\n#\\"])) + "'''"
        elif form == "array":
            self.array(path, depth)
        elif form == "inline":
            self.inline(path, depth)
        else:
            self.text += form

    def array(self, path, depth):
        gap = st.sampled_from(["", " ", "\n", " # ]\n", "\n\n  "])
        self.text += "[" + self.draw(gap)
        for index in range(self.draw(st.integers(0, 3))):
            self.text += ("," if index else "") + self.draw(gap)
            self.lines[(*path, index)] = self.line
            self.value((*path, index), depth + 1)
            self.text += self.draw(gap)
        self.text += "]"

    def inline(self, path, depth):
        self.text += "{" + self.draw(_SPACE)
        for index in range(self.draw(st.integers(0, 3))):
            self.text += ", " if index else ""
            self.pair(path, depth + 1)
        self.text += self.draw(_SPACE) + "}"

    def block(self):
        """A table of its own, or one more element of an array of tables, at the top or below another."""
        parents = [self.draw(st.sampled_from(sorted(self.tables, key=repr)))] if self.draw(st.booleans()) else [()]
        if self.arrays and self.draw(st.booleans()):
            path, written = self.draw(st.sampled_from(sorted(self.arrays.items(), key=repr)))[0], None
            written = self.arrays[path][1]
            index = self.arrays[path][0] + 1
            # Elements below an older element of another array cannot be reached any more; these stand at the top.
            self.arrays[path] = (index, written)
            self.lines[(*path, index)] = self.line
            self.text += f"[[ {written} ]]\n"
            self.pairs((*path, index))
            return
        parent = parents[0]
        prefix = "" if not parent else self.tables[parent] + "."
        name, written = self.name()
        path = (*parent, name)
        if not parent and self.draw(st.booleans()):
            self.arrays[path] = (0, written)
            self.lines[path] = self.lines[(*path, 0)] = self.line
            self.text += f"[[{written}]]\n"
            self.pairs((*path, 0))
            return
        self.lines[path] = self.line
        self.tables[path] = prefix + written
        self.text += f"[{prefix}{written}]{self.draw(_SPACE)}\n"
        self.pairs(path)


@st.composite
def documents(draw):
    """A document that tomllib accepts."""
    return Document(draw).fill()
