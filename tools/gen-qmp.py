#!/usr/bin/env python3
"""Makes of the monitor protocol's schema what reads it (the form is described at the head of system/monitor/qmp.schema).

    gen-qmp.py SCHEMA --header FILE     C structs of commands' arguments, prototypes of commands
    gen-qmp.py SCHEMA --source FILE     tables of types, commands and events; query-qmp-schema's answer
    gen-qmp.py SCHEMA --rst FILE        docs/ref/qmp.rst
"""

import json
import pathlib
import re
import sys

INTS = {"int": (-2**63, 2**63 - 1), "size": (0, 2**64 - 1)}
for bits in 8, 16, 32, 64:
    INTS[f"int{bits}"] = (-2**(bits - 1), 2**(bits - 1) - 1)
    INTS[f"uint{bits}"] = (0, 2**bits - 1)
PLAIN = {"str": "STRING", "bool": "BOOL", "number": "NUMBER", "null": "NULL", "any": "ANY"}


class Entity:
    def __init__(self, kind, name, line):
        self.kind, self.name, self.line = kind, name, line
        self.doc, self.members = [], []  # members: (name, type, optional, doc); of an enum: (word, doc)
        self.base = self.tag = self.result = self.use = None
        self.open = False
        self.every = 0


HEADS = {
    "enum": r"(?P<name>\w+)",
    "struct": r"(?P<name>\w+)( : (?P<base>\w+))?(?P<open> open)?",
    "union": r"(?P<name>\w+) : (?P<base>\w+) on (?P<tag>[\w-]+)",
    "alternate": r"(?P<name>\w+)",
    "command": r"(?P<name>[\w-]+)( -> (?P<result>[\w\[\]]+))?(?P<open> open)?",
    "event": r"(?P<name>\w+)( every (?P<every>\d+))?",
}


def read(path):
    """The sections: (title, entities)."""
    sections, current = [], None

    def wrong(why):
        sys.exit(f"{path}:{number}: {why}")

    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        text = line.strip()
        if not text or line.startswith("#"):
            continue
        if not line.startswith(" "):
            kind, _, rest = text.partition(" ")
            if kind == "section":
                sections.append((rest, []))
                continue
            m = re.fullmatch(HEADS.get(kind, "(?!)"), rest)
            if not m or not sections:
                wrong(f"not understood: {text}")
            current = Entity(kind, m["name"], number)
            groups = m.groupdict()
            for key in "base", "tag", "result":
                setattr(current, key, groups.get(key))
            current.open = bool(groups.get("open"))
            current.every = int(groups.get("every") or 0)
            sections[-1][1].append(current)
        elif current is None:
            wrong("this belongs to nothing")
        elif text.startswith("#"):
            current.doc.append(text[1:].strip())
        elif current.kind == "command" and text.startswith("use "):
            current.use = text[4:]
        else:
            front, _, doc = text.partition(" -- ")
            if current.kind == "enum":
                current.members.append((front, doc))
                continue
            m = re.fullmatch(r"([\w-]+)(\??): (\S+)", front)
            if not m:
                wrong(f"no member: {text}")
            current.members.append((m[1], m[3], bool(m[2]), doc))
    return sections


class Schema:
    def __init__(self, path):
        self.path, self.sections = path, read(path)
        self.all = [e for _, entities in self.sections for e in entities]
        self.types = {e.name: e for e in self.all if e.kind not in ("command", "event")}
        self.commands = [e for e in self.all if e.kind == "command"]
        self.events = [e for e in self.all if e.kind == "event"]
        names = [e.name for e in self.all]
        for e in self.all:
            if names.count(e.name) > 1:
                self.wrong(e, "there are two of the name")
            if e.kind != "enum":
                for _, t, *_ in e.members:
                    self.check_type(e, t)
            for t in e.base, e.result, e.use:
                if t:
                    self.check_type(e, t)

    def wrong(self, e, why):
        sys.exit(f"{self.path}:{e.line}: {e.kind} {e.name}: {why}")

    def check_type(self, e, t):
        t = t.strip("[]")
        if t not in self.types and t not in PLAIN and t not in INTS:
            self.wrong(e, f"there is no type {t}")

    def members(self, e):
        """A struct's or command's own members, those of its base first."""
        if e.use:
            return self.members(self.types[e.use])
        return (self.members(self.types[e.base]) if e.base else []) + (e.members if e.kind != "union" else [])


def c_name(name):
    return re.sub(r"\W", "_", name)


def c_string(text):
    return json.dumps(text, ensure_ascii=False)


def constant(*words):
    return "_".join(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", w).replace("-", "_").upper() for w in words)


# --- the header ---

def c_type(s, t):
    """The C type of an argument, and whether a truth beside it says that it is there."""
    if t == "str":
        return "const char *", False
    if t in INTS:
        return ("uint64_t " if INTS[t][0] == 0 else "int64_t "), True
    if t == "bool":
        return "bool ", True
    if t == "number":
        return "double ", True
    if t in s.types and s.types[t].kind == "enum":
        return f"enum qmp_{t} ", True
    return "const struct json *", False


def header(s):
    out = [f"/* Made from {pathlib.Path(s.path).name} by tools/gen-qmp.py; edit that. */", "#ifndef QMP_SCHEMA_H",
           "#define QMP_SCHEMA_H", "", '#include "system/monitor/schema.h"', ""]
    for e in s.all:
        if e.kind == "enum":
            words = ", ".join(constant("QMP", e.name, w) for w, _ in e.members)
            out.append(f"enum qmp_{e.name} {{ {words}, {constant('QMP', e.name)}_COUNT }};")
    out.append("")
    for e in s.commands:
        out += [f"struct qmp_{c_name(e.name)}_args {{", "    const struct json *json; /* all of them */"]
        for name, t, optional, _ in s.members(e):
            text, flag = c_type(s, t)
            if optional and flag:
                out.append(f"    bool has_{c_name(name)};")
            out.append(f"    {text}{c_name(name)};")
        out += ["};", f"struct json *qmp_{c_name(e.name)}(struct monitor *m, const struct qmp_{c_name(e.name)}_args *a, "
                "struct qmp_error *e);"]
    return "\n".join(out + ["", "#endif", ""])


# --- the tables ---

def type_ref(t):
    if t.startswith("["):
        return f"&array_{c_name(t[1:-1])}"
    return f"&type_{c_name(t)}"


def member_rows(s, members, struct=None):
    rows = []
    for name, t, optional, _ in members:
        at = ""
        if struct:
            at = f", .at = offsetof(struct {struct}, {c_name(name)})"
            if optional and c_type(s, t)[1]:
                at += f", .has_at = offsetof(struct {struct}, has_{c_name(name)})"
        rows.append(f"    {{{c_string(name)}, {type_ref(t)}, {'true' if optional else 'false'}{at}}},")
    return rows


def object_table(s, name, e, members, struct=None):
    """A table of members and the type around it."""
    out = []
    parts = [f".name = {c_string(e.name)}", ".kind = SCHEMA_OBJECT"]
    rows = member_rows(s, members, struct)
    if rows:
        out += [f"static const struct schema_member members_{name}[] = {{", *rows, "};"]
        parts += [f".members = members_{name}", f".nmembers = {len(rows)}"]
    union = s.types[e.use] if e.use and s.types[e.use].kind == "union" else e
    if union.kind == "union":
        cases = ", ".join(f"{{{c_string(w)}, {type_ref(t)}}}" for w, t, *_ in union.members)
        out.append(f"static const struct schema_case cases_{name}[] = {{{cases}}};")
        parts += [f".tag = {c_string(union.tag)}", f".cases = cases_{name}", f".ncases = {len(union.members)}"]
    if e.open:
        parts.append(".open = true")
    out.append(f"static const struct schema_type type_{name} = {{{', '.join(parts)}}};")
    return out


def arrays(s):
    found = set()
    for e in s.all:
        for t in [m[1] for m in e.members if e.kind != "enum"] + [e.result or ""]:
            if t.startswith("["):
                found.add(t[1:-1])
    return sorted(found)


def source(s):
    out = [f"/* Made from {pathlib.Path(s.path).name} by tools/gen-qmp.py; edit that. */", '#include "qmp-schema.h"', "",
           "#include <stddef.h>", ""]
    used = {t.strip("[]") for e in s.all if e.kind != "enum" for t in [m[1] for m in e.members] + [e.result or ""]}
    names = sorted(used & (set(PLAIN) | set(INTS))) + [n for n in s.types if n in used]
    for name in names:
        out.append(f"static const struct schema_type type_{c_name(name)};")
    for name in arrays(s):
        out.append(f"static const struct schema_type array_{c_name(name)} = "
                   f"{{.name = \"array\", .kind = SCHEMA_ARRAY, .element = {type_ref(name)}}};")
    for name in names:
        if name in PLAIN:
            out.append(f"static const struct schema_type type_{name} = {{.name = {c_string(name)}, .kind = SCHEMA_{PLAIN[name]}}};")
        elif name in INTS:
            low, high = INTS[name]
            low = "INT64_MIN" if low == -2**63 else str(low)
            out.append(f"static const struct schema_type type_{name} = {{.name = {c_string(name)}, .kind = SCHEMA_INT, "
                       f".min = {low}, .max = UINT64_C({high})}};")
        else:
            e = s.types[name]
            if e.kind == "enum":
                words = ", ".join(c_string(w) for w, _ in e.members)
                out += [f"static const char *const words_{name}[] = {{{words}}};",
                        f"static const struct schema_type type_{name} = {{.name = {c_string(name)}, .kind = SCHEMA_ENUM, "
                        f".words = words_{name}, .nwords = {len(e.members)}}};"]
            elif e.kind == "alternate":
                cases = ", ".join(f"{{{c_string(w)}, {type_ref(t)}}}" for w, t, *_ in e.members)
                out += [f"static const struct schema_case cases_{name}[] = {{{cases}}};",
                        f"static const struct schema_type type_{name} = {{.name = {c_string(name)}, .kind = SCHEMA_ALTERNATE, "
                        f".cases = cases_{name}, .ncases = {len(e.members)}}};"]
            else:
                out += object_table(s, name, e, s.members(e))
    for e in s.commands:
        n = c_name(e.name)
        out += object_table(s, f"arguments_{n}", e, s.members(e), f"qmp_{n}_args")
        out += [f"static struct json *call_{n}(struct monitor *m, const void *a, struct qmp_error *e) {{ return qmp_{n}(m, a, e); }}"]
    out.append("const struct schema_command qmp_commands[] = {")
    for e in s.commands:
        n = c_name(e.name)
        out.append(f"    {{{c_string(e.name)}, {c_string(' '.join(e.doc))}, &type_arguments_{n}, "
                   f"{type_ref(e.result) if e.result else 'NULL'}, sizeof(struct qmp_{n}_args), call_{n}}},")
    out += ["};", f"const unsigned qmp_ncommands = {len(s.commands)};"]
    for e in s.events:
        if e.members:
            out += object_table(s, f"data_{c_name(e.name)}", e, s.members(e))
    out.append("const struct schema_event qmp_events[] = {")
    for e in s.events:
        out.append(f"    {{{c_string(e.name)}, {f'&type_data_{c_name(e.name)}' if e.members else 'NULL'}, "
                   f"INT64_C({e.every}000000000)}},")
    out += ["};", f"const unsigned qmp_nevents = {len(s.events)};", "", "const char qmp_introspection[] ="]
    out += [f"    {c_string(json.dumps(i) + ',')}" for i in introspection(s)]
    out[-1] = out[-1][:-2] + '"'
    out[-len(introspection(s))] = '    "["' + out[-len(introspection(s))].lstrip()
    return "\n".join(out) + '\n    "]";\n'


# --- introspection ---

def introspection(s):
    def shown(t):
        return "int" if t in INTS else t

    def member(m):
        row = {"name": m[0], "type": shown(m[1]) if not m[1].startswith("[") else f"[{shown(m[1][1:-1])}]"}
        if m[2]:
            row["default"] = None
        return row

    def members(e):
        row = {"meta-type": "object", "members": [member(m) for m in s.members(e)]}
        union = s.types[e.use] if e.use else e
        if union.kind == "union":
            row["tag"] = union.tag
            row["variants"] = [{"case": w, "type": t} for w, t, *_ in union.members]
        return row

    out = [{"name": n, "meta-type": "builtin", "json-type": j} for n, j in
           [("str", "string"), ("int", "int"), ("bool", "boolean"), ("number", "number"), ("null", "null"), ("any", "value")]]
    out.append({"name": "q_empty", "meta-type": "object", "members": []})
    for t in sorted({shown(t) for t in arrays(s)}):
        out.append({"name": f"[{t}]", "meta-type": "array", "element-type": t})
    for e in s.types.values():
        if e.kind == "enum":
            out.append({"name": e.name, "meta-type": "enum", "members": [{"name": w} for w, _ in e.members],
                        "values": [w for w, _ in e.members]})
        elif e.kind == "alternate":
            out.append({"name": e.name, "meta-type": "alternate", "members": [{"type": shown(t)} for _, t, *_ in e.members]})
        else:
            out.append({"name": e.name, **members(e)})
    for e in s.commands + s.events:
        args = "q_empty"
        if e.use:
            args = e.use
        elif e.members:
            args = f"q_{e.name}"
            out.append({"name": args, **members(e)})
        row = {"name": e.name, "meta-type": e.kind, "arg-type": args}
        if e.kind == "command":
            result = e.result or "q_empty"
            row |= {"ret-type": shown(result) if not result.startswith("[") else f"[{shown(result[1:-1])}]", "allow-oob": False}
        out.append(row)
    return out


# --- documentation ---

def rst(s):
    out = [".. Made from system/monitor/qmp.schema by tools/gen-qmp.py; edit that.", "", "The monitor protocol (QMP)",
           "==========================", "",
           "One JSON object per command: ``{\"execute\": NAME, \"arguments\": {…}, \"id\": …}``; the answer has ``return`` or ``error`` "
           "(``class`` and", "``desc``), and the ``id``. Events come at any time, with a timestamp. A member in brackets may be missing. "
           ":doc:`../system` says how to", "connect.", ""]
    for title, entities in s.sections:
        out += [title, "-" * len(title), ""]
        for e in entities:
            if e.kind in ("command", "event"):
                result = f" → {e.result}" if e.result else ""
                out += [f"**{e.name}**{result}" + (" (event)" if e.kind == "event" else ""), ""]
                out += ["    " + (" ".join(e.doc)), ""]
                if e.every:
                    out += [f"    At most one in {e.every} s.", ""]
                if e.use:
                    out += [f"    Arguments: {e.use}.", ""]
                out += member_docs(e, "    ")
        types = [e for e in entities if e.kind not in ("command", "event")]
        for e in types:
            out += [f"*{e.kind}* **{e.name}**" + (f", with the members of {e.base}" if e.base else "")
                    + (f", by its {e.tag}" if e.tag else ""), ""]
            if e.doc:
                out += ["    " + " ".join(e.doc), ""]
            if e.kind == "enum":
                out += ["    " + "; ".join(f"``{w}`` {d}" for w, d in e.members), ""]
            elif e.kind in ("union", "alternate"):
                out += ["    " + "; ".join(f"``{w}``: {t}" for w, t, *_ in e.members), ""]
            else:
                out += member_docs(e, "    ")
    return "\n".join(out).rstrip() + "\n"


def member_docs(e, indent):
    rows = [f"{indent}- {f'[{name}]' if optional else name}: {t}: {doc}" for name, t, optional, doc in e.members]
    return rows + [""] if rows else []


def main():
    path, mode, target = sys.argv[1:]
    make = {"--header": header, "--source": source, "--rst": rst}[mode]
    pathlib.Path(target).write_text(make(Schema(path)))


main()
