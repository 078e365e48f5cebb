# The man page of the library from its public header: comments become text, declarations stay as
# they are. In comments, "label  text" begins an item; a line set in further stands on its own.
function escape(line)
{
    gsub(/\\/, "\\e", line)
    gsub(/-/, "\\-", line)
    gsub(/…/, "...", line)
    return line ~ /^[.']/ ? "\\&" line : line
}

# A paragraph begins with the next text, unless a heading or an item does.
function paragraph()
{
    pending = 1
}

function begin()
{
    if (pending && !at_begin) print ".PP"
    pending = at_begin = 0
}

# A line of a comment, without its marks.
function say(line,    label, n)
{
    n = match(line, /[^ ]/) - 1
    if (line == "") {
        paragraph()
        column = was_set_in = 0
    } else if (n < 3 && line ~ /^ *[A-Za-z_]+  +[^ ]/) {
        label = substr(line, n + 1)
        sub(/ .*/, "", label)
        column = length(line)
        sub(/^ *[^ ]+ +/, "", line)
        column -= length(line)
        print ".TP 12\n.B " label "\n" escape(line)
        pending = at_begin = was_set_in = 0
    } else {
        is_new = pending
        begin()
        is_set_in = n > column + 1
        if (!is_new && (is_set_in || was_set_in)) print ".br"
        was_set_in = is_set_in
        print escape(substr(line, n + 1))
    }
}

function end_code()
{
    if (in_code) print ".ft R\n.fi\n.RE"
    in_code = 0
}

BEGIN {
    print ".TH SAESCOPE 3 \"2026-11-24\" \"saescope\" \"Library Functions\""
    print ".SH NAME\nsaescope \\- what the features of a sparse autoencoder mean in a text dataset"
    print ".SH SYNOPSIS\n.nf\n.B #include <saescope.h>\n.PP"
    print "cc my.c $(pkg\\-config \\-\\-cflags \\-\\-libs saescope)\n.fi\n.SH DESCRIPTION"
    at_begin = 1
}

# What is for the compiler alone.
/^#(if|else|endif|include)/ || /^#define (SAESCOPE_H|SS_API|SS_MUST_USE)/ || /^extern "C"/ || /^}$/ { next }

/^\/\* ---- .* ---- \*\/$/ {
    end_code()
    sub(/^\/\* ---- /, "")
    sub(/ ---- \*\/$/, "")
    print ".SH " toupper(escape($0))
    at_begin = 1
    next
}

/^\/\*/ {
    end_code()
    paragraph()
    column = was_set_in = 0
    in_comment = 1
    $0 = " *" substr($0, 3)
}

in_comment {
    line = $0
    is_end = line ~ /\*\/$/
    sub(/ *\*\/$/, "", line)
    line = substr(line, 4)
    if (!is_end || line != "") say(line)
    if (is_end) in_comment = 0
    next
}

/^$/ { end_code(); next }

{
    if (!in_code) {
        if (column > 0) pending = 1
        begin()
        print ".RS 2\n.nf\n.ft CW"
    }
    in_code = 1
    column = was_set_in = 0
    if ($0 !~ /^ /) {
        n_cut = length($0)
        sub(/^SS_API /, "")
        sub(/^SS_MUST_USE /, "")
        n_cut -= length($0)
    }
    print escape($0 ~ /^ / ? substr($0, n_cut + 1) : $0)
}

END {
    end_code()
    print ".SH SEE ALSO\n.BR saescope (1)"
}
