//! The control sequences of each family: opening, questions to the terminal, editor, closing.

/// The very first bytes, before anything is drawn.
pub(crate) fn opening(is_new: bool) -> &'static str {
    match is_new {
        true => "\x1b7\x1b[r\x1b8\x1b[?25h\x1b[?25l\x1b[?2004h\x1b[?2031h\x1b[?1004h",
        false => "\x1b7\x1b[r\x1b8\x1b[?25h\x1b[?25l\x1b[?2004h\x1b[?1004h\x1b[?2031h",
    }
}

/// Before the prompt box is drawn for the first time: the newer family takes the alternate screen.
pub(crate) fn enter(is_new: bool) -> &'static str {
    match is_new {
        true => "\x1b[?1049h\x1b[2J\x1b[H\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h\x1b[?25l",
        false => "",
    }
}

/// Asked once something is drawn: who are you?
pub(crate) fn first_query(is_new: bool) -> &'static str {
    if is_new {
        "\x1b[>0q\x1b[?u\x1b[c"
    } else {
        "\x1b[>0q\x1b[c"
    }
}

/// Asked when the terminal has said its name: what can you do?
pub(crate) fn second_query(is_new: bool) -> &'static str {
    if is_new {
        "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
    } else {
        "\x1b[?2026$p\x1b[c"
    }
}

/// Before the editor gets the terminal.
pub(crate) fn before_editor(is_new: bool) -> &'static str {
    match is_new {
        true => {
            "\x1b[?1004l\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[>4m\x1b[?2031l\x1b[?2004l\x1b[0m\x1b[?25h\x1b[2J\x1b[H"
        }
        false => "\x1b[?1004l\x1b[?2004l\x1b[?1049h\x1b[?25h",
    }
}

/// After the editor.
pub(crate) fn after_editor(is_new: bool) -> &'static str {
    match is_new {
        true => {
            "\x1b[?25l\x1b[>4m\x1b[?2004h\x1b[?2031h\x1b[?1049h\x1b[2J\x1b[H\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1006h\x1b[?1004h\x1b[?25l"
        }
        false => "\x1b[?1049l\x1b[?25l\x1b[<u\x1b[>4m\x1b[?1004h\x1b[?2004h",
    }
}

/// The last bytes: the terminal as it was.
pub(crate) fn closing(is_new: bool) -> &'static str {
    match is_new {
        true => {
            "\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?1049l\x1b(B\x0f\x1b[?1004l\x1b[>4m\x1b[?2031l\x1b[?2004l\x1b[<u\x1b[?25h\x1b7\x1b[r\x1b8"
        }
        false => {
            "\x1b[?1006l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b(B\x0f\x1b[>4m\x1b[<u\x1b[?1004l\x1b[?2031l\x1b[?2004l\x1b[?25h\x1b7\x1b[r\x1b8"
        }
    }
}
