"""Symbols keep one id a string, through compaction too."""

from __future__ import annotations

import pytest

from zseval.model.symbols import ScopedSymbols, Symbols


def test_a_compacted_table_keeps_the_ids_of_what_is_used_and_frees_the_rest() -> None:
    symbols = Symbols()
    kept, dropped = symbols.intern("kept"), symbols.intern("dropped")
    compacted = symbols.compacted([kept])
    assert (compacted.find("kept"), compacted.text(kept)) == (kept, "kept")
    assert compacted.find("dropped") is None
    with pytest.raises(KeyError):
        compacted.text(dropped)
    assert len(compacted) == 2
    assert compacted.text(0) == ""


def test_an_id_is_never_given_to_a_second_string() -> None:
    symbols = Symbols()
    dropped = symbols.intern("dropped")
    compacted = symbols.compacted([])
    assert compacted.intern("new") > dropped


def test_a_superseded_table_answers_for_its_own_strings_and_for_its_successors() -> None:
    symbols = Symbols()
    dropped = symbols.intern("dropped")
    compacted = symbols.compacted([])
    new = compacted.intern("new")
    assert symbols.text(dropped) == "dropped"
    assert symbols.text(new) == "new"
    assert symbols.find("new") == new
    assert symbols.intern("newer") == compacted.find("newer")


def test_a_query_lays_its_own_strings_over_the_table() -> None:
    symbols = Symbols()
    known = symbols.intern("known")
    scoped = ScopedSymbols(symbols)
    made = scoped.intern("made up")
    assert made < 0
    assert (scoped.text(made), scoped.text(known)) == ("made up", "known")
    assert symbols.find("made up") is None
