"""Keeps key codes free for letters that are not on the layout of the display.

Xvnc gives each new letter, capital and small together, a key code of its own and never takes one back; when none is
left it drops the letter. The layout that Xvnc starts with spends most codes on keys that no browser's keyboard has.
"""

import ctypes
import os
import select
import time

from .log import log

# Keep so many free: more than an input method brings in the time below.
LEAST_FREE = 64
# So long after a letter was given its code, every program has read the key.
SETTLE_SECONDS = 1.0

XKB_USE_CORE_KEYBOARD = 0x100
# XkbNewKeyboardNotify and XkbMapNotify. No other events are asked for.
XKB_CHANGES = 0b11
NO_SYMBOL = 0
# XF86… and Sun… keys, F13 to F35, Select, Execute, Undo, Redo, Find, Cancel, Help, Japanese and Korean mode keys.
# See X11/keysymdef.h and X11/XF86keysym.h.
UNUSED_KEYS = [
    (0x10080000, 0x1008FFFF),
    (0x1005FF00, 0x1005FFFF),
    (0xFFCA, 0xFFE0),
    (0xFF60, 0xFF60),
    (0xFF62, 0xFF62),
    (0xFF65, 0xFF66),
    (0xFF68, 0xFF6A),
    (0xFF20, 0xFF3F),
]

# Letters of Czech, Slovak, Polish and German, by the names of X11/keysymdef.h. They have their codes from the start: a
# program that is busy loses letters that come before it has read the change of the layout.
LETTERS = """
    aacute ccaron dcaron eacute ecaron iacute ncaron oacute rcaron scaron tcaron uacute uring yacute zcaron
    lcaron lacute racute ocircumflex aogonek cacute eogonek lstroke nacute sacute zacute zabovedot
    adiaeresis odiaeresis udiaeresis ssharp EuroSign
""".split()

Symbols = tuple[int, ...]


def is_unused(symbols: Symbols) -> bool:
    """Whether a key of the first layout carries nothing that a browser sends."""
    known = [symbol for symbol in symbols if symbol != NO_SYMBOL]
    return bool(known) and all(any(low <= symbol <= high for low, high in UNUSED_KEYS) for symbol in known)


class KeyCodes:
    """Decides which key codes to free; knows which were given to letters, and when."""

    def __init__(self, first: dict[int, Symbols]) -> None:
        self.unused = [code for code, symbols in first.items() if is_unused(symbols)]
        self.fixed = {code for code, symbols in first.items() if any(symbols)} - set(self.unused)
        self.for_letters = sorted(set(first) - self.fixed)[: len(LETTERS)]
        self.fixed.update(self.for_letters)
        self.given: dict[int, tuple[Symbols, float]] = {}

    def to_free(self, mapping: dict[int, Symbols], now: float) -> tuple[list[int], bool]:
        """The codes to free now, and whether there are others that may be freed later. `now` is in seconds."""
        letters = {code: symbols for code, symbols in mapping.items() if any(symbols) and code not in self.fixed}
        self.given = {
            code: self.given[code] if self.given.get(code, (None,))[0] == symbols else (symbols, now)
            for code, symbols in letters.items()
        }
        if sum(1 for symbols in mapping.values() if not any(symbols)) >= LEAST_FREE:
            return [], False
        settled = [code for code, (_, since) in self.given.items() if now - since >= SETTLE_SECONDS]
        return settled, len(settled) < len(self.given)


class Display:
    """The few calls of Xlib that this needs. An error of the server ends the process."""

    def __init__(self) -> None:
        self.x11 = ctypes.CDLL("libX11.so.6")
        self.x11.XOpenDisplay.restype = ctypes.c_void_p
        self.x11.XStringToKeysym.restype = ctypes.c_ulong
        self.x11.XGetKeyboardMapping.restype = ctypes.POINTER(ctypes.c_ulong)
        self.display = ctypes.c_void_p(self.x11.XOpenDisplay(None))
        if not self.display:
            raise OSError(f"cannot open the display {os.environ.get('DISPLAY')}")
        low, high = ctypes.c_int(), ctypes.c_int()
        self.x11.XDisplayKeycodes(self.display, ctypes.byref(low), ctypes.byref(high))
        # Xlib tells the server that it knows XKB, and then hears of no change that it has not asked for.
        self.x11.XkbSelectEvents(self.display, XKB_USE_CORE_KEYBOARD, XKB_CHANGES, XKB_CHANGES)
        self.codes = range(low.value, high.value + 1)

    def mapping(self) -> dict[int, Symbols]:
        per_code = ctypes.c_int()
        table = self.x11.XGetKeyboardMapping(self.display, self.codes.start, len(self.codes), ctypes.byref(per_code))
        width = per_code.value
        try:
            return {code: tuple(table[i * width : (i + 1) * width]) for i, code in enumerate(self.codes)}
        finally:
            self.x11.XFree(table)

    def free(self, codes: list[int]) -> None:
        # Every program hears of each call, so codes that lie side by side are freed with one.
        for first, count in runs(codes):
            self.x11.XChangeKeyboardMapping(self.display, first, 1, (ctypes.c_ulong * count)(), count)
        self.x11.XSync(self.display, False)

    def assign(self, codes: list[int], names: list[str]) -> None:
        """Small letter and capital on one key, as the layout has them."""
        for code, name in zip(codes, names, strict=True):
            lower, upper = ctypes.c_ulong(), ctypes.c_ulong()
            symbol = ctypes.c_ulong(self.x11.XStringToKeysym(name.encode()))
            self.x11.XConvertCase(symbol, ctypes.byref(lower), ctypes.byref(upper))
            symbols = (ctypes.c_ulong * 2)(lower, upper)
            self.x11.XChangeKeyboardMapping(self.display, code, 2, symbols, 1)
        self.x11.XSync(self.display, False)

    def wait_for_change(self, seconds: float | None) -> None:
        """Returns after a change of the mapping, and after `seconds` if they are given."""
        event = (ctypes.c_long * 24)()
        if not self.x11.XPending(self.display):
            select.select([self.x11.XConnectionNumber(self.display)], [], [], seconds)
        # With no event to read after all XPending only asks for one; the end of the display shows here, too.
        while self.x11.XPending(self.display):
            self.x11.XNextEvent(self.display, ctypes.byref(event))


def runs(codes: list[int]) -> list[tuple[int, int]]:
    """Numbers that follow each other, as (first, count)."""
    found: list[tuple[int, int]] = []
    for code in sorted(codes):
        if found and sum(found[-1]) == code:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((code, 1))
    return found


def main() -> int:
    display = Display()
    codes = KeyCodes(display.mapping())
    display.free(codes.unused)
    display.assign(codes.for_letters, LETTERS[: len(codes.for_letters)])
    log(f"freed {len(codes.unused)} key codes for letters of other layouts; {len(codes.for_letters)} have theirs")
    while True:
        settled, has_more = codes.to_free(display.mapping(), time.monotonic())
        display.free(settled)
        display.wait_for_change(SETTLE_SECONDS / 2 if has_more else None)
