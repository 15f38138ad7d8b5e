"""Hands long texts of the clipboard to Xvnc in one piece.

Programs give a long selection away in several pieces (INCR of the ICCCM), from a quarter of a megabyte on; Xvnc takes none
of those, so the text would be lost on its way to the browser. This program takes it in its pieces, becomes the owner of
the clipboard, and gives it away whole.
"""

import ctypes
import os
import time

from .log import log

# What Xvnc takes (`MaxCutText` in session.py); sidecar/web/src/clipboard.ts names it to the user.
MOST_BYTES = 8 * 1024 * 1024
# A program that has not given its next piece by then has ended.
PIECE_SECONDS = 10.0

PROPERTY_NOTIFY, SELECTION_CLEAR, SELECTION_REQUEST, SELECTION_NOTIFY = 28, 29, 30, 31
PROPERTY_CHANGE_MASK = 1 << 22
NEW_VALUE = 0
SET_SELECTION_OWNER = 1
CURRENT_TIME = 0
ANY_TYPE = 0
REPLACE = 0
ATOM_TYPE = 4
NO_ERROR = 0

Id = ctypes.c_ulong


class PropertyEvent(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", Id), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p)]
    _fields_ += [("window", Id), ("atom", Id), ("time", Id), ("state", ctypes.c_int)]


class SelectionRequest(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", Id), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p)]
    _fields_ += [("owner", Id), ("requestor", Id), ("selection", Id), ("target", Id), ("property", Id), ("time", Id)]


class SelectionEvent(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", Id), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p)]
    _fields_ += [("requestor", Id), ("selection", Id), ("target", Id), ("property", Id), ("time", Id)]


class OwnerEvent(ctypes.Structure):
    _fields_ = [("type", ctypes.c_int), ("serial", Id), ("send_event", ctypes.c_int), ("display", ctypes.c_void_p)]
    _fields_ += [("window", Id), ("subtype", ctypes.c_int), ("owner", Id), ("selection", Id)]
    _fields_ += [("timestamp", Id), ("selection_timestamp", Id)]


class Event(ctypes.Union):
    _fields_ = [("type", ctypes.c_int), ("property", PropertyEvent), ("request", SelectionRequest)]
    _fields_ += [("selection", SelectionEvent), ("owner", OwnerEvent), ("pad", ctypes.c_long * 24)]


ERROR_HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
# A program that asked for the text may be gone before it has it.
IGNORE_ERRORS = ERROR_HANDLER(lambda _display, _error: 0)


class Relay:
    """One window that asks for texts, and owns those that it has taken."""

    def __init__(self) -> None:
        self.x11 = ctypes.CDLL("libX11.so.6")
        self.fixes = ctypes.CDLL("libXfixes.so.3")
        self.x11.XOpenDisplay.restype = ctypes.c_void_p
        self.x11.XInternAtom.restype = self.x11.XDefaultRootWindow.restype = Id
        self.x11.XCreateSimpleWindow.restype = self.x11.XGetSelectionOwner.restype = Id
        self.display = ctypes.c_void_p(self.x11.XOpenDisplay(None))
        if not self.display:
            raise OSError(f"cannot open the display {os.environ.get('DISPLAY')}")
        self.x11.XSetErrorHandler(IGNORE_ERRORS)
        root = Id(self.x11.XDefaultRootWindow(self.display))
        self.window = Id(self.x11.XCreateSimpleWindow(self.display, root, 0, 0, 1, 1, 0, Id(0), Id(0)))
        self.x11.XSelectInput(self.display, self.window, ctypes.c_long(PROPERTY_CHANGE_MASK))
        base, errors = ctypes.c_int(), ctypes.c_int()
        if not self.fixes.XFixesQueryExtension(self.display, ctypes.byref(base), ctypes.byref(errors)):
            raise OSError("the display has no XFixes")
        self.owner_notify = base.value
        self.clipboard, self.utf8, self.incr, self.targets, self.mail = (
            self.atom(name) for name in ("CLIPBOARD", "UTF8_STRING", "INCR", "TARGETS", "SCIPION_CLIPBOARD")
        )
        self.fixes.XFixesSelectSelectionInput(self.display, self.window, self.clipboard, Id(SET_SELECTION_OWNER))
        self.text = b""
        # Pieces that have come of a text that still comes, and when the last did.
        self.pieces: list[bytes] | None = None
        self.heard_at = 0.0

    def atom(self, name: str) -> Id:
        return Id(self.x11.XInternAtom(self.display, name.encode(), False))

    def run(self) -> None:
        event = Event()
        while True:
            self.x11.XNextEvent(self.display, ctypes.byref(event))
            if event.type == self.owner_notify:
                self.owner_changed(event.owner)
            elif event.type == SELECTION_NOTIFY:
                self.answered(event.selection)
            elif event.type == PROPERTY_NOTIFY and event.property.state == NEW_VALUE:
                self.piece_came(event.property)
            elif event.type == SELECTION_REQUEST:
                self.give(event.request)
            elif event.type == SELECTION_CLEAR:
                self.text = b""

    def owner_changed(self, event: OwnerEvent) -> None:
        self.pieces = None
        if event.owner in (0, self.window.value):
            return
        self.x11.XDeleteProperty(self.display, self.window, self.mail)
        self.x11.XConvertSelection(
            self.display, self.clipboard, self.utf8, self.mail, self.window, Id(event.selection_timestamp)
        )

    def answered(self, event: SelectionEvent) -> None:
        """A text that came whole is one that Xvnc takes itself."""
        if event.property != self.mail.value:
            return
        kind, _ = self.take()
        if kind == self.incr.value:
            self.pieces, self.heard_at = [], time.monotonic()

    def piece_came(self, event: PropertyEvent) -> None:
        if self.pieces is None or event.atom != self.mail.value:
            return
        now = time.monotonic()
        is_late = now - self.heard_at > PIECE_SECONDS
        self.heard_at = now
        _, piece = self.take()
        if is_late or sum(map(len, self.pieces)) + len(piece) > MOST_BYTES:
            self.pieces = None
        elif piece:
            self.pieces.append(piece)
        else:
            self.own(b"".join(self.pieces))
            self.pieces = None

    def take(self) -> tuple[int, bytes]:
        """Type and content of what was put at our window; taking it away asks for the next piece."""
        kind, form, count, left = Id(), ctypes.c_int(), Id(), Id()
        data = ctypes.POINTER(ctypes.c_ubyte)()
        self.x11.XGetWindowProperty(
            *(self.display, self.window, self.mail, ctypes.c_long(0), ctypes.c_long(MOST_BYTES // 4), True, Id(ANY_TYPE)),
            *(ctypes.byref(kind), ctypes.byref(form), ctypes.byref(count), ctypes.byref(left), ctypes.byref(data)),
        )
        if not data:
            return kind.value, b""
        try:
            return kind.value, ctypes.string_at(data, count.value) if form.value == 8 else b""
        finally:
            self.x11.XFree(data)

    def own(self, text: bytes) -> None:
        self.text = text
        self.x11.XSetSelectionOwner(self.display, self.clipboard, self.window, Id(CURRENT_TIME))
        self.x11.XFlush(self.display)

    def give(self, request: SelectionRequest) -> None:
        """Whole: Xlib makes one large request of it, for which the server has room for 16 MB."""
        place = request.property or request.target
        if request.target == self.targets.value:
            atoms = (Id * 2)(self.targets, self.utf8)
            self.put(request.requestor, place, ATOM_TYPE, 32, atoms, 2)
        elif request.target == self.utf8.value and self.text:
            self.put(request.requestor, place, self.utf8.value, 8, self.text, len(self.text))
        else:
            place = 0
        answer = Event()
        answer.selection = SelectionEvent(
            type=SELECTION_NOTIFY,
            display=self.display,
            requestor=request.requestor,
            selection=request.selection,
            target=request.target,
            property=place,
            time=request.time,
        )
        self.x11.XSendEvent(self.display, Id(request.requestor), False, ctypes.c_long(0), ctypes.byref(answer))
        self.x11.XFlush(self.display)

    def put(self, window: int, place: int, kind: int, form: int, data: object, count: int) -> None:
        self.x11.XChangeProperty(self.display, Id(window), Id(place), Id(kind), form, REPLACE, data, count)


def main() -> int:
    relay = Relay()
    log(f"long texts of the clipboard go to the browser whole, up to {MOST_BYTES} bytes")
    relay.run()
    return 0
