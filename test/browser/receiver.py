"""A window that fills the screen and writes each text that is typed or pasted into it to the file that is named."""

import sys
import tkinter

window = tkinter.Tk()
window.geometry("1000x700+0+0")
text = tkinter.Text(window)
text.pack(fill="both", expand=True)


def write(_event: object) -> None:
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(text.get("1.0", "end-1c"))


text.bind("<KeyRelease>", write)
text.bind("<<Modified>>", lambda _event: (write(None), text.edit_modified(False)))
text.focus_force()
window.mainloop()
