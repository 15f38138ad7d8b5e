"""Says what the windows of Scipion show, and where; prints one JSON line.

Usage: python3 widgets.py
Tk lets one program ask another of the same display; so a test finds the place of a button by its words, and then
moves the mouse there. Nothing is pressed from here.
"""

import json
import tkinter

WALK = r"""
set found {}
set open {.}
while {[llength $open]} {
    set open [lassign $open path]
    foreach child [winfo children $path] { lappend open $child }
    if {![winfo viewable $path]} continue
    set left [winfo rootx $path]
    set top [winfo rooty $path]
    set text {}
    catch { set text [$path cget -text] }
    set value {}
    catch { set value [$path get] }
    catch { set value [expr {[set ::[$path cget -variable]] eq [$path cget -value]}] }
    if {$text ne {} || $value ne {}} {
        lappend found [list [winfo toplevel $path] [winfo class $path] $text $value $left $top [winfo width $path] [winfo height $path]]
    }
    if {[winfo class $path] eq {Listbox}} {
        for {set index 0} {$index < [$path size]} {incr index} {
            if {[$path bbox $index] eq {}} continue
            lassign [$path bbox $index] x y width height
            lappend found [list [winfo toplevel $path] Item [$path get $index] {} [expr {$left + $x}] [expr {$top + $y}] $width $height]
        }
    }
    if {[winfo class $path] ne {Canvas}} continue
    foreach item [$path find all] {
        if {[$path type $item] ne {text}} continue
        # The box around a text comes right after it, and has a line around it while it is chosen.
        set box [expr {$item + 1}]
        set value [expr {[$path type $box] eq {rectangle} && [$path itemcget $box -width] > 0}]
        lassign [$path bbox $item] x1 y1 x2 y2
        set x [expr {int($left + $x1 - [$path canvasx 0])}]
        set y [expr {int($top + $y1 - [$path canvasy 0])}]
        lappend found [list [winfo toplevel $path] Item [$path itemcget $item -text] $value $x $y [expr {$x2 - $x1}] [expr {$y2 - $y1}]]
    }
}
set titled {}
foreach item $found { lappend titled [linsert $item 0 [wm title [lindex $item 0]]] }
return $titled
"""

own = tkinter.Tk()
own.withdraw()
tcl = own.tk
found = []
for app in tcl.splitlist(tcl.call("winfo", "interps")):
    if app == tcl.call("tk", "appname"):
        continue
    answer = tcl.call("send", app, "apply {{} {" + WALK + "}}")
    for item in tcl.splitlist(answer):
        window, _, kind, text, value, x, y, width, height = map(str, tcl.splitlist(item))
        found.append({"window": window, "kind": kind, "text": text, "value": value, "x": int(x), "y": int(y), "width": int(width), "height": int(height)})
print(json.dumps(found))
