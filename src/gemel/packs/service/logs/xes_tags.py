"""The compiled part of the XES scanner: tags, attributes, dates."""

from __future__ import annotations

import numba
import numpy as np

KNOWN = (
    "log", "trace", "event", "global", "classifier", "extension",
    "string", "date", "int", "float", "boolean", "id", "list", "container",
)  # fmt: skip
"""The tags of XES; these words have the codes 0 to 13 in every scan."""
_LOG, _TRACE, _EVENT, _GLOBAL, _CLASSIFIER, _EXTENSION, _STRING, _DATE, _INT, _FLOAT = range(10)

OF_LOG, OF_TRACE, OF_EVENT, DEFAULT_TRACE, DEFAULT_EVENT, CLASSIFIER, EXTENSION = range(7)
"""Scopes of items."""
TEXT, DATE, NUMBER, DATE_TEXT = range(4)
"""Kinds of items."""

LINE, DEPTH, SCOPE, EVENTS, TRACES, ITEMS, ROOTS, PROBLEM, IN_TRACE, PREVIOUS, STATE = range(11)
DEEPEST = 256
USUAL, LONGEST_USUAL = 512, 120
"""Most writers tell the same keys in the same order: of so many keys is kept how the tag began that followed, up to its value."""
NAIVE = 32767

PROBLEMS = (
    "", "there is text outside of tags", "an end tag without its start tag", "a tag is not well formed",
    "more than one root", "tags are nested too deeply", "it has a document type, which no log needs",
    "an attribute has no quotes, or holds <", "an event within an event",
)  # fmt: skip
_TEXT_FIRST, _END, _TAG, _ROOT, _DEEP, _DOCTYPE, _QUOTES, _EVENT_WITHIN = range(1, 9)


@numba.njit(cache=True, nogil=True)
def code_of(text, first, last, kept, start, hashes, table, count):  # type: ignore[no-untyped-def]
    """Return the code of `text[first:last]`, a new one if it was not seen before (FNV-1a, open addressing)."""
    found = np.uint64(14695981039346656037)
    for i in range(first, last):
        found = (found ^ np.uint64(text[i])) * np.uint64(1099511628211)
    found ^= found >> np.uint64(32)
    mask = len(table) - 1
    place = np.int64(found & np.uint64(mask))
    size = last - first
    while table[place] >= 0:
        code = table[place]
        if hashes[code] == found and start[code + 1] - start[code] == size:
            at, differ = start[code], np.uint8(0)
            for i in range(size):  # without a way out, so that many bytes are compared at once
                differ |= kept[at + i] ^ text[first + i]
            if differ == 0:
                return np.int64(code)
        place = (place + 1) & mask
    code = count[0]
    at = start[code]
    for i in range(size):
        kept[at + i] = text[first + i]
    start[code + 1] = at + size
    hashes[code] = found
    table[place] = code
    count[0] += 1
    return np.int64(code)


@numba.njit(cache=True, nogil=True)
def _digits(text, first, many):  # type: ignore[no-untyped-def]
    """Return the number of *many* digits, -1 if they are none."""
    value = 0
    for i in range(first, first + many):
        digit = int(text[i]) - 48
        if digit < 0 or digit > 9:
            return -1
        value = 10 * value + digit
    return value


@numba.njit(cache=True, nogil=True)
def _date(text, first, last):  # type: ignore[no-untyped-def]
    """Return ms and offset in minutes of YYYY-MM-DDThh:mm:ss[.f][Z|±hh:mm], offset 32766 if it is written otherwise."""
    other = (0, 32766)
    if (
        last - first < 19
        or text[first + 4] != 45
        or text[first + 7] != 45
        or text[first + 13] != 58
        or text[first + 16] != 58
    ):
        return other
    if text[first + 10] != 84 and text[first + 10] != 32:
        return other
    year, month, day = _digits(text, first, 4), _digits(text, first + 5, 2), _digits(text, first + 8, 2)
    hour, minute, second = _digits(text, first + 11, 2), _digits(text, first + 14, 2), _digits(text, first + 17, 2)
    if year < 1 or month < 1 or month > 12 or day < 1 or hour < 0 or hour > 23 or minute < 0 or minute > 59:
        return other
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = 31 - (month - 1) % 7 % 2 if month != 2 else (29 if leap else 28)
    if second < 0 or second > 59 or day > longest:
        return other
    at, milli, scale = first + 19, 0, 100
    if at < last and text[at] == 46:
        at += 1
        while at < last and 48 <= text[at] <= 57:
            milli += scale * (int(text[at]) - 48)
            scale //= 10
            at += 1
    offset = int(NAIVE)
    if at < last:
        if text[at] == 90 and at + 1 == last:
            offset = 0
        elif (text[at] == 43 or text[at] == 45) and (last - at == 6 or last - at == 5):
            h, m = _digits(text, at + 1, 2), _digits(text, last - 2, 2)
            if h < 0 or h > 23 or m < 0 or m > 59 or (last - at == 6 and text[at + 3] != 58):
                return other
            offset = 60 * h + m if text[at] == 43 else -(60 * h + m)
        else:
            return other
    y = year - 1 if month <= 2 else year  # days from civil, H. Hinnant
    era = y // 400
    in_era = y - era * 400
    in_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = era * 146097 + in_era * 365 + in_era // 4 - in_era // 100 + in_year - 719468
    ms = ((days * 24 + hour) * 60 + minute) * 60000 + second * 1000 + milli
    return (ms if offset == NAIVE else ms - offset * 60000), offset


@numba.njit(cache=True, nogil=True)
def _is(text, first, last, word):  # type: ignore[no-untyped-def]
    same = last - first == len(word)
    for i in range(len(word) if same else 0):
        same = same and text[first + i] == word[i]
    return same


@numba.njit(cache=True, nogil=True)
def _skip(text, at, a, b, c, state):  # type: ignore[no-untyped-def]
    """Return the place after the bytes *a*, *b*, *c* (0: none), -1 if they do not come; lines are counted on the way."""
    lines = 0
    n = len(text)
    while at < n:
        if text[at] == 10:
            lines += 1
        if text[at] == c and (b == 0 or text[at - 1] == b) and (a == 0 or text[at - 2] == a):
            state[LINE] += lines
            return at + 1
        at += 1
    return -1


@numba.njit(cache=True, nogil=True)
def _named(text, first, last):  # type: ignore[no-untyped-def]
    """Return whether a text is a name: letters, digits, : - _ . and whatever is beyond ASCII."""
    for i in range(first, last):
        c = text[i]
        letter = (97 <= c <= 122) or (65 <= c <= 90) or c >= 128 or c == 58 or c == 95
        if not letter and (i == first or not (45 <= c <= 46 or 48 <= c <= 57)):
            return False
    return last > first


@numba.njit(cache=True, nogil=True)
def _name_end(text, at):  # type: ignore[no-untyped-def]
    """Return where a name ends: at white space, =, / or >; the end of the text if it goes on."""
    n = len(text)
    while at < n:
        c = text[at]
        if c <= 32 or c == 61 or c == 47 or c == 62 or c == 60:
            break
        at += 1
    return at


@numba.njit(cache=True, nogil=True)
def read(  # type: ignore[no-untyped-def]
    text, state, stack, usual, followed, kept, start, hashes, key_of, table, count,
    scope, owner, key, kind, value, offset, parent, event_trace, event_line, trace_line, counts,
):  # fmt: skip
    """Read the tags that end in *text*; return where the first stands that does not. A problem is left in *state*.

    It is one long function because it is one loop over bytes whose two dozen counters and places stay in local variables: a
    function for each kind of tag would take and give back all of them at every tag. Only what needs few of them stands apart.
    """
    k_key, k_value, k_name, k_keys = (
        (107, 101, 121),
        (118, 97, 108, 117, 101),
        (110, 97, 109, 101),
        (107, 101, 121, 115),
    )
    k_scope, k_prefix, k_uri = (115, 99, 111, 112, 101), (112, 114, 101, 102, 105, 120), (117, 114, 105)
    n, at, items, events, traces = len(text), 0, 0, 0, 0
    while True:
        while at < n and text[at] != 60:
            if text[at] == 10:
                state[LINE] += 1
            elif text[at] > 32:
                state[PROBLEM] = _TEXT_FIRST
                return at
            at += 1
        opening = at
        if at + 1 >= n:
            break
        c = text[at + 1]
        if c == 63:  # <?
            end = _skip(text, at + 3, 0, 63, 62, state)
            if end < 0:
                break
            at = end
            continue
        if c == 33:  # <!
            if at + 9 > n:
                break
            if text[at + 2] == 45 and text[at + 3] == 45:
                end = _skip(text, at + 6, 45, 45, 62, state)
            elif text[at + 2] == 91:
                end = _skip(text, at + 9, 93, 93, 62, state)
            else:
                state[PROBLEM] = _DOCTYPE
                return at
            if end < 0:
                break
            at = end
            continue
        if c == 47:  # </
            first = at + 2
            last = _name_end(text, first)
            end = last
            while end < n and text[end] <= 32:
                end += 1
            if end >= n:
                break
            depth = state[DEPTH]
            if text[end] != 62 or depth == 0:
                state[PROBLEM] = _END
                return at
            tag = code_of(text, first, last, kept, start, hashes, table, count)
            if stack[depth - 1, 0] != tag:
                state[PROBLEM] = _END
                return at
            state[SCOPE] = stack[depth - 1, 1]
            if stack[depth - 1, 2] == -2:
                state[IN_TRACE] = 0
            state[DEPTH] = depth - 1
            at = end + 1
            continue
        depth = state[DEPTH]
        slot = state[PREVIOUS] + 1
        if slot < USUAL and followed[slot, 0] and at + followed[slot, 0] < n and state[SCOPE] == followed[slot, 4]:
            long = followed[slot, 0]
            differ = np.uint8(0)
            for i in range(long):
                differ |= usual[slot, i] ^ text[at + i]
            if differ == 0 and stack[depth - 1, 2] < 0:
                first = at + long
                last = first
                quote = text[first - 1]
                while last < n and text[last] != quote and text[last] != 60 and text[last] != 10:
                    last += 1
                if last + 2 < n and text[last] == quote and text[last + 1] == 47 and text[last + 2] == 62:
                    ms = minutes = np.int64(0)
                    if followed[slot, 2] == DATE:
                        ms, minutes = _date(text, first, last)
                    if minutes != 32766:
                        if followed[slot, 2] != DATE:
                            ms = code_of(text, first, last, kept, start, hashes, table, count)
                        scope[items], key[items], kind[items] = state[SCOPE], followed[slot, 1], followed[slot, 2]
                        value[items], offset[items], parent[items] = ms, minutes, -1
                        owner[items] = state[EVENTS] - 1 if state[SCOPE] == OF_EVENT else state[TRACES] - 1
                        items += 1
                        state[ITEMS] += 1
                        state[PREVIOUS] = followed[slot, 1]
                        at = last + 3
                        continue
        # a start tag
        first = at + 1
        last = _name_end(text, first)
        here, lines = last, 0
        v_key = v_value = v_name = v_keys = v_scope = v_prefix = v_uri = np.int64(-1)
        e_key = e_value = e_name = e_keys = e_prefix = e_uri = np.int64(-1)
        closed = whole = False
        problem = 0
        while here < n:
            b = text[here]
            if b <= 32:
                lines += b == 10
                here += 1
            elif b == 62:
                whole = True
                here += 1
                break
            elif b == 47:
                if here + 1 < n and text[here + 1] != 62:
                    problem = _TAG
                    break
                closed = True
                here += 1
            else:
                name = here
                name_end = _name_end(text, here)
                here = name_end
                while here < n and text[here] <= 32:
                    lines += text[here] == 10
                    here += 1
                if here >= n:
                    break
                if text[here] != 61 or not _named(text, name, name_end):
                    problem = _TAG
                    break
                here += 1
                while here < n and text[here] <= 32:
                    lines += text[here] == 10
                    here += 1
                if here >= n:
                    break
                quote = text[here]
                if quote != 34 and quote != 39:
                    problem = _QUOTES
                    break
                here += 1
                inside = here
                while here < n and text[here] != quote and text[here] != 60:
                    lines += text[here] == 10
                    here += 1
                if here >= n:
                    break
                if text[here] != quote:
                    problem = _QUOTES
                    break
                if _is(text, name, name_end, k_key):
                    v_key, e_key = inside, here
                elif _is(text, name, name_end, k_value):
                    v_value, e_value = inside, here
                elif _is(text, name, name_end, k_name):
                    v_name, e_name = inside, here
                elif _is(text, name, name_end, k_keys):
                    v_keys, e_keys = inside, here
                elif _is(text, name, name_end, k_scope):
                    v_scope = inside
                elif _is(text, name, name_end, k_prefix):
                    v_prefix, e_prefix = inside, here
                elif _is(text, name, name_end, k_uri):
                    v_uri, e_uri = inside, here
                here += 1
                if here < n and text[here] > 32 and text[here] != 47 and text[here] != 62:
                    problem = _TAG
                    break
        if problem or (whole and not _named(text, first, last)):
            state[LINE] += lines
            state[PROBLEM] = problem if problem else _TAG
            return at
        if not whole:
            break
        line = state[LINE]
        state[LINE] += lines
        if depth == 0:
            if state[ROOTS]:
                state[PROBLEM] = _ROOT
                return at
            state[ROOTS] = 1
        if depth >= DEEPEST:
            state[PROBLEM] = _DEEP
            return at
        tag = code_of(text, first, last, kept, start, hashes, table, count)
        plain = tag
        if tag > 13:
            for i in range(first, last):
                if text[i] == 58:
                    plain = code_of(text, i + 1, last, kept, start, hashes, table, count)
        outer = state[SCOPE]
        mine = np.int64(stack[depth - 1, 2]) if depth and stack[depth - 1, 2] >= 0 else np.int64(-1)
        added = np.int64(-1) if mine < 0 else mine
        if plain == _TRACE:
            state[SCOPE] = OF_TRACE
            state[IN_TRACE] = 1
            trace_line[traces] = line
            traces += 1
            state[TRACES] += 1
            added = np.int64(-2)
        elif plain == _EVENT:
            if outer == OF_EVENT:
                state[PROBLEM] = _EVENT_WITHIN
                return at
            state[SCOPE] = OF_EVENT
            event_trace[events] = state[TRACES] - 1 if state[IN_TRACE] else -1
            event_line[events] = line
            events += 1
            state[EVENTS] += 1
            state[PREVIOUS] = -1
            added = np.int64(-1)
        elif plain == _GLOBAL:
            state[SCOPE] = DEFAULT_TRACE if v_scope >= 0 and text[v_scope] == 116 else DEFAULT_EVENT
        elif (plain == _CLASSIFIER and v_name >= 0) or (plain == _EXTENSION and v_prefix >= 0) or v_key >= 0:
            if plain == _CLASSIFIER and v_key < 0:
                v_key, e_key, v_value, e_value = v_name, e_name, v_keys, e_keys
                scope[items] = CLASSIFIER
            elif plain == _EXTENSION and v_key < 0:
                v_key, e_key, v_value, e_value = v_prefix, e_prefix, v_uri, e_uri
                scope[items] = EXTENSION
            else:
                scope[items] = outer
            word = code_of(text, v_key, e_key, kept, start, hashes, table, count)
            if key_of[word] < 0:
                key_of[word] = count[1]
                count[1] += 1
            key[items] = key_of[word]
            owner[items] = state[EVENTS] - 1 if outer == OF_EVENT else state[TRACES] - 1 if outer == OF_TRACE else 0
            parent[items] = mine
            offset[items] = 0
            if v_value < 0:
                v_value = e_value = v_key
            if plain == _DATE:
                ms, minutes = _date(text, v_value, e_value)
                if minutes != 32766:
                    kind[items], value[items], offset[items] = DATE, ms, minutes
                else:
                    kind[items] = DATE_TEXT
                    value[items] = code_of(text, v_value, e_value, kept, start, hashes, table, count)
            else:
                kind[items] = NUMBER if plain in (_INT, _FLOAT) else TEXT
                value[items] = code_of(text, v_value, e_value, kept, start, hashes, table, count)
            begun = v_value - opening
            if (
                slot < USUAL
                and closed
                and mine < 0
                and begun <= LONGEST_USUAL
                and text[v_value - 1] < 40
                and lines == 0
                and (outer in (OF_EVENT, OF_TRACE) and e_value > e_key and kind[items] <= NUMBER)
            ):
                followed[slot, 0], followed[slot, 1], followed[slot, 2] = begun, key[items], kind[items]
                followed[slot, 4] = outer
                for i in range(begun):
                    usual[slot, i] = text[opening + i]
            state[PREVIOUS] = key[items] if outer != OF_LOG else -1
            added = state[ITEMS]
            items += 1
            state[ITEMS] += 1
        if closed:
            state[SCOPE] = outer
            if added == -2:
                state[IN_TRACE] = 0
        else:
            stack[depth, 0], stack[depth, 1], stack[depth, 2] = tag, outer, added
            state[DEPTH] = depth + 1
        at = here
    counts[0], counts[1], counts[2] = items, events, traces
    return opening
