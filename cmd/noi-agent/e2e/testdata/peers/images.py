#!/usr/bin/python3
"""Register images of controllers, made from a seed, and the value that each object of each image has.

    images.py FAMILY SEED    prints what a slave of that family and seed holds, as JSON

It knows what objects/testdata/vectors knows, the register maps as the sources print them, and nothing of the Go code or the
family files. Here every register of a controller is filled at once, what no object has with noise, so that a value taken
from the neighbour, or scaled by it, comes out wrong.
"""
import json
import os
import random
import string
import struct
import sys

sys.dont_write_bytecode = True  # or the import leaves files among the vectors
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, *[os.pardir] * 5, "objects", "testdata", "vectors"))
import vectors  # noqa: E402

# Product codes by the vendor's documents. The SunSaver Duo's are a TriStar's there; the SureSine's is not known.
PRODUCTS = {
    "PSPWM": ["PS-PWM-15", "PS-PWM-15M", "PS-PWM-30", "PS-PWM-30M"],
    "PSMPPT": ["PS-MPPT-25", "PS-MPPT-25M", "PS-MPPT-40", "PS-MPPT-40M"],
    "SSMPPT": ["SS-MPPT"],
    "TSMPPT": ["TS-MPPT-45", "TS-MPPT-60"],
    "TSPWM": ["TS-45", "TS-60"],
    "TSMPPT600": ["TS-MPPT-60-600V-48"],
    "SSDUO": ["TS-45", "TS-60"],
    "SURESINE": ["SureSine-300"],
    "GENSTAR": ["GS-MPPT-60M-200V"],
}

# What the units of a line hold: the first one what a working controller would; the next ones one extreme after the other;
# the last one, where the map has a full scale, another full scale in each exchange, with the same values.
EXTREMES = 16
CHANGES = 3

# Where the TriStar MPPT's full scales stand, and the firmware of the 600 V model.
FULL_SCALES = {"V_PU": 0x0000, "I_PU": 0x0002}
FIRMWARE = 0x0004

# The least ver_sw of the 600 V map's layout. Its document says 13, 16, and 19, which is 0x13; 16 is enough for all three.
LEAST_FIRMWARE = 16


def plausible(row, rng):
    """A raw number, or the registers of a text, that a working controller could hold."""
    t = row["type"]
    if "range" in row:
        return rng.randint(*map(int, row["range"])) & 0xFFFF
    if row.get("exact"):
        return rng.choice([0x3C00, 0x4000, *row["exact"]])
    if row["name"] in FULL_SCALES:
        return rng.randrange(20 << 16, 600 << 16) & ~3  # a full scale, in 65536ths, that can be halved twice
    if t == "f16":
        return struct.unpack(">H", struct.pack(">e", rng.uniform(-40, 160)))[0]
    if t.startswith("f32"):
        return struct.unpack(">I", struct.pack(">f", rng.uniform(0, 1e5)))[0]
    if t in ("u8", "s8"):
        return rng.randint(-20, 70) & 0xFFFF
    if t in ("u16", "s16"):
        return rng.randint(0 if t == "u16" else -8000, 20000) & 0xFFFF
    if t == "bcd16":
        return int(str(rng.randint(LEAST_FIRMWARE, 99)), 16)
    if t == "enum16":
        return rng.choice(sorted(row["names"]))
    if t.startswith("bits"):
        return sum(1 << b for b in row["names"] if rng.random() < 0.3)
    if t.startswith(("u32", "s32")):
        return rng.randint(0 if t[0] == "u" else -2000000, 2000000) & 0xFFFFFFFF
    if t == "ver_hilo16":
        return rng.randint(0, 9) << 8 | rng.randint(0, 99)
    if t.startswith("ascii8"):
        text = "".join(rng.choices(string.ascii_letters + string.digits, k=rng.randint(1, 2 * row["registers"])))
        return vectors.text_registers(text, row["registers"], t)
    return [rng.randrange(0x10000) for _ in range(vectors.WIDTH[t])]  # addresses


class Unit:
    """What one unit id holds, and what is to be read out of it.

    turn picks the extreme of each object, 0 for none; with changes, so many full scales take turns.
    """

    def __init__(self, rows, seed, turn=0, changes=1):
        self.seed, self.turn = seed, turn
        self.rng = random.Random("%s %d %d" % (seed, turn, changes))
        self.leant = set().union(*map(leans, rows))
        self.encodings = {}  # by object, what the configuration has to choose
        self.values = {}     # by object, what may come out: one value, none, or one for each full scale
        self.held = {}       # by object, its registers and those it leans on, for people
        pages = sorted({row["address"] >> 8 for row in rows})
        noise = {page << 8 | low: self.rng.randrange(0x10000) for page in pages for low in range(0x100)}
        self.phases = [dict(noise) for _ in range(changes)]
        by_name = {}
        for row in sorted(rows, key=lambda row: row["address"] not in self.leant):  # what others lean on comes before them
            by_name.setdefault(row["name"], []).append(row)
        for name, same in by_name.items():
            row = self.choose(name, same)
            self.fill(row, self.draw(row if row.get("names", True) else same[0]))

    def choose(self, name, rows):
        """The row that counts: that of the mode which the unit is in, or any of those that the configuration chooses from."""
        if "mode" in rows[0]:
            mode = self.phases[0][rows[0]["mode"][0]]
            return next((row for row in rows if row["mode"][1] == mode), dict(rows[0], names={}))
        row = self.rng.choice(rows)
        if "choice" in row:
            self.encodings[name] = row["choice"]
        return row

    def draw(self, row):
        """A raw number. An extreme of what others lean on leaves most of them without a value, so it is rare."""
        if self.turn > 0 and (row["address"] not in self.leant or self.turn % 4 == 0):
            extremes = vectors.raws(row)
            start = random.Random("%s %s" % (self.seed, row["name"])).randrange(len(extremes))
            if row["type"].startswith("bits"):
                start = -3  # the last two are all bits and every other one: each name counts at every seed
            return extremes[(start + self.turn) % len(extremes)]
        if len(self.phases) > 1 and scales(row):
            return self.rng.randint(-2000 if row["type"] == "s16" else 0, 2000) & 0xFFFF  # it grows from phase to phase
        return plausible(row, self.rng)

    def fill(self, row, raw):
        """Puts a raw number into each phase, and notes what is to come out of them."""
        held, values = self.held.setdefault(row["name"], []), self.values.setdefault(row["name"], [])
        for n, words in enumerate(self.phases):
            put = shifted(row, raw, n)
            words.update(vectors.layout(row, put))
            held.append(" ".join("%04X=%04X" % (a, words[a]) for a in sorted(leans(row).union(vectors.layout(row, put)))))
            try:
                value = self.read(row, put, words)
            except vectors.NoValue:
                continue
            if value not in values:
                values.append(value)

    def read(self, row, raw, words):
        """The value, with what the row leans on as the registers have it."""
        known = {}
        for name, address in FULL_SCALES.items():
            if name in row["formula"]:
                known[name] = vectors.Fraction(words[address] << 16 | words[address + 1], 65536)
        if 0 in known.values():
            raise vectors.NoValue("number")  # a full scale of nothing
        if "firmware" in row and vectors.number({"type": "bcd16"}, words[FIRMWARE]) < LEAST_FIRMWARE:
            raise vectors.NoValue("firmware")
        return vectors.value(row, raw, known)


def leans(row):
    """The registers that the row leans on, beside its own: full scales, the firmware, the mode."""
    at = {a + i for name, a in FULL_SCALES.items() if name in row["formula"] for i in (0, 1)}
    if "firmware" in row:
        at.add(FIRMWARE)
    if "mode" in row:
        at.add(row["mode"][0])
    return at


def scales(row):
    """How many full scales the row's formula has."""
    return sum(name in row["formula"] for name in FULL_SCALES)


def shifted(row, raw, n):
    """The raw number in phase n: a full scale halves from each phase to the next, so what it scales doubles."""
    if row["name"] in FULL_SCALES:
        return raw >> n
    return int(vectors.number(row, raw)) << n * scales(row) & 0xFFFF if scales(row) else raw


def units(family, seed):
    """The units of a line by unit id, from 1."""
    rows, seed = vectors.load()[family]["rows"], "%s %s" % (family, seed)
    made = [Unit(rows, seed, turn) for turn in range(EXTREMES + 1)]
    if any(scales(row) for row in rows):
        made.append(Unit(rows, seed, changes=CHANGES))
    return dict(enumerate(made, 1))


def product(family, seed):
    return random.Random(seed).choice(PRODUCTS[family])


def story(units):
    """What the test has to know of them, as JSON."""
    return json.dumps([
        {"unit_id": n, "encodings": u.encodings, "values": u.values, "held": u.held} for n, u in units.items()
    ], ensure_ascii=False, indent=1)


if __name__ == "__main__":
    print(story(units(sys.argv[1], sys.argv[2])))
