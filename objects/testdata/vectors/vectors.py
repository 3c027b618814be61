#!/usr/bin/python3
"""Makes the vectors of the families' tests: registers, and the value that the source's formula gives for them.

It knows maps.txt, beside it, and nothing of the Go code or the family files: names, addresses, types and formulas as the
named documents print them. Numbers are exact fractions until the last step, half and single precision come from
Python's struct. Run it without arguments: it writes FAMILY.json beside itself, or into a directory that is named.
"""
import json
import math
import os
import re
import struct
import sys
import zlib
from fractions import Fraction

HERE = os.path.dirname(os.path.abspath(__file__))

# Full scales of the TriStar MPPT in registers 0 to 3: the document's example, 78 + 934/65536 V, and round ones.
FULL_SCALES = [((78, 934), (97, 42949)), ((180, 0), (80, 0))]

WIDTH = {"f16": 1, "u8": 1, "s8": 1, "u16": 1, "s16": 1, "bcd16": 1, "enum16": 1, "bits16": 1, "ver_hilo16": 1,
         "u32": 2, "u32lo": 2, "s32": 2, "f32": 2, "f32lo": 2, "bits32": 2, "bits32lo": 2, "ipv4_lohi": 2,
         "mac_lohi": 3, "bits64": 4, "bits64lo": 4}


class NoValue(Exception):
    """What the registers hold is none; the argument says why: number, absent, range, firmware, text."""


def raws(row):
    """Raw numbers (or register lists of text) worth a vector: extremes, signs, something in the middle."""
    t = row["type"]
    some = zlib.crc32(row["name"].encode())  # the same at each run, another for each object
    if t == "f16":
        return [0x0000, 0x8000, 0x3C00, 0xC000, 0x4A0F, 0x0001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00, 0x7E00, 0xFFFF, some & 0x7BFF]
    if t in ("u8", "s8"):
        return [0x0000, 0x0001, 0x007F, 0x0080, 0x0081, 0x00FF, 0xFF80, 0xAB19, some & 0xFFFF]
    if t in ("u16", "s16"):
        return [0x0000, 0x0001, 0x000F, 0x0010, 0x00F7, 0x00F8, 0x7FFF, 0x8000, 0xFFFF, some & 0xFFFF]
    if t == "bcd16":
        return [0x0000, 0x0012, 0x9999, 0x000A, 0x00FF, 0xA000, 0x1234]
    if t in ("f32", "f32lo"):
        return [0x00000000, 0x80000000, 0x3F800000, 0xC0200000, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000, 0x00000001, 0x461C4000]
    if t.startswith(("u32", "s32")):
        return [0, 1, 0xFFFF, 0x10000, 0x12345678, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, some]
    if t == "enum16":
        known = sorted(row["names"])
        return known + [max(known) + 1, 0xFFFF]
    if t.startswith("bits"):
        width = 16 * WIDTH[t]
        return [0] + [1 << b for b in range(width)] + [(1 << width) - 1, 0x5555555555555555 & ((1 << width) - 1)]
    if t == "ver_hilo16":
        return [0x0104, 0x0000, 0xFFFF, 0x0A0B]
    if t == "ipv4_lohi":
        return [[0xA8C0, 0xFD01], [0x0000, 0x0000], [0xFFFF, 0xFFFF]]
    if t == "mac_lohi":
        return [[0x1100, 0x3322, 0x5544], [0xCDAB, 0x01EF, 0x8923]]
    if t.startswith("ascii8"):
        n = row["registers"]
        texts = [("0123456789ABCDEF" * 2)[:2 * n], "AB-7", "", "12345678"[:2 * n - 1]]
        lists = [text_registers(x, n, t) for x in texts]
        return lists + [[0xFFFF] * n, [0x0107] + [0] * (n - 1)]
    raise SystemExit("no raws for " + t)


def text_registers(text, count, t):
    data = text.encode().ljust(2 * count, b"\0")
    return [struct.unpack("<H" if t.endswith("lohi") else ">H", data[2 * i:2 * i + 2])[0] for i in range(count)]


def layout(row, raw):
    """Registers by address."""
    if isinstance(raw, list):
        return {row["address"] + i: r for i, r in enumerate(raw)}
    if "high" in row:
        return {row["address"]: raw & 0xFFFF, row["high"]: raw >> 16}
    width = WIDTH[row["type"]]
    words = [raw >> (16 * i) & 0xFFFF for i in range(width)]
    if not row["type"].endswith("lo"):
        words.reverse()
    return {row["address"] + i: w for i, w in enumerate(words)}


def number(row, raw):
    """The raw number n of a formula, exactly."""
    t = row["type"]
    if t in ("u8", "s8"):
        raw &= 0xFF
    if t == "f16":
        f = struct.unpack(">e", struct.pack(">H", raw))[0]
    elif t.startswith("f32"):
        f = struct.unpack(">f", struct.pack(">I", raw))[0]
    elif t == "s8":
        return Fraction(raw - 256 if raw > 127 else raw)
    elif t == "s16":
        return Fraction(raw - 65536 if raw > 32767 else raw)
    elif t.startswith("s32"):
        return Fraction(raw - (1 << 32) if raw >> 31 else raw)
    elif t == "bcd16":
        digits = "%04X" % raw
        if not digits.isdigit():
            raise NoValue("number")
        return Fraction(int(digits))
    else:
        return Fraction(raw)
    if math.isnan(f) or math.isinf(f):
        raise NoValue("number")
    return Fraction(f)


def formula(text, known):
    """n*V_PU*2^-15 or n*100/417, with the names in known."""
    result, operator = Fraction(1), "*"
    for token in re.findall(r"[*/]|[^*/]+", text):
        if token in "*/":
            operator = token
            continue
        base, _, power = token.partition("^")
        value = known[base] if base in known else Fraction(base)
        value = value ** int(power) if power else value
        result = result * value if operator == "*" else result / value
    return result


def value(row, raw, known):
    t = row["type"]
    if t == "enum16":
        return row["names"].get(raw, "UNKNOWN_%d" % raw)
    if t.startswith("bits"):
        return [row["names"].get(b, "bit_%d" % b) for b in range(16 * WIDTH[t]) if raw >> b & 1]
    if t == "ver_hilo16":
        return "%02d.%02d" % (raw >> 8, raw & 0xFF)
    if isinstance(raw, list):
        data = b"".join(struct.pack("<H" if "lohi" in t else ">H", r) for r in raw)
        if t == "ipv4_lohi":
            return ".".join(str(b) for b in data)
        if t == "mac_lohi":
            return ":".join("%02x" % b for b in data)
        data = data.split(b"\0")[0]
        if any(b < 0x20 or b > 0x7E for b in data):
            raise NoValue("text")
        return data.decode().rstrip(" ")
    if raw in row.get("exact", {}):
        return float(row["exact"][raw])
    if "absent" in row and raw & 0xFF == row["absent"]:
        raise NoValue("absent")
    exact = formula(row["formula"], dict(known, n=number(row, raw)))
    low, high = row.get("range", (None, None))
    if low is not None and not low <= exact <= high:
        raise NoValue("range")
    return float(exact)


def surroundings(row):
    """What the row leans on, as (registers, numbers by name, why there is no value or None)."""
    if "PU" in row["formula"]:
        for (v, i) in FULL_SCALES:
            regs = dict(enumerate(v + i))
            yield regs, {"V_PU": v[0] + Fraction(v[1], 65536), "I_PU": i[0] + Fraction(i[1], 65536)}, None
        yield {0: 0, 1: 0, 2: 0, 3: 0}, {}, "number"  # a full scale of nothing
    elif row.get("firmware"):
        yield {4: 0x0016}, {}, None
        yield {4: 0x0015}, {}, "firmware"
        yield {4: 0x00FF}, {}, "number"
    elif "mode" in row:
        yield {row["mode"][0]: row["mode"][1]}, {}, None
    else:
        yield {}, {}, None


def vectors(row):
    for regs, known, why_not in surroundings(row):
        tried = raws(row)
        for raw in tried[:1] if why_not else tried:
            v = {"object": row["name"]}
            if "choice" in row:
                v["choice"] = row["choice"]
            at = dict(regs)
            at.update(layout(row, raw))
            v["registers"] = {"%04X" % a: "%04X" % r for a, r in sorted(at.items())}
            try:
                if why_not:
                    raise NoValue(why_not)
                v["want"] = value(row, raw, known)
            except NoValue as none:
                v["none"] = none.args[0]
            yield v


def parse(line):
    name, address, kind, text, *rest = [part.strip() for part in line.split(" | ")]
    row = {"name": name, "address": int(address, 16), "type": kind, "formula": text}
    for part in rest:
        key, _, what = part.partition(" ")
        if key in ("absent", "high"):
            row[key] = int(what, 16)
        elif key == "registers":
            row[key] = int(what)
        elif key == "names":
            row[key] = {int(n): word for n, word in (e.split("=", 1) for e in what.split(";"))}
        elif key == "exact":
            row[key] = {int(n, 16): Fraction(word) for n, word in (e.split("=") for e in what.split(";"))}
        elif key == "range":
            row[key] = tuple(Fraction(x) for x in what.split())
        elif key == "mode":
            address, mode = what.split()
            row[key] = (int(address, 16), int(mode))
        elif key == "choice":
            row[key] = what
        elif key == "firmware":
            row[key] = True
        else:
            raise SystemExit("what is %r in %r?" % (part, line))
    return row


def load():
    """The families of maps.txt by slug: a source and rows, in the order of the file."""
    families, current = {}, None
    with open(os.path.join(HERE, "maps.txt"), encoding="utf-8") as f:
        for line in f:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            if line.startswith("family "):
                slug, _, source = line[len("family "):].partition(": ")
                current = families[slug] = {"source": source, "rows": []}
                continue
            current["rows"].append(parse(line))
    return families


def main(out):
    for slug, family in load().items():
        lines = [json.dumps(v, ensure_ascii=False, separators=(",", ":")) for row in family["rows"] for v in vectors(row)]
        with open(os.path.join(out, slug + ".json"), "w", encoding="utf-8") as f:
            f.write('{"family":%s,"source":%s,"vectors":[\n' % (json.dumps(slug), json.dumps(family["source"])))
            f.write(",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else HERE)
