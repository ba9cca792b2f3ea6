from app.record.journal import LONGEST_NOTE, Journal, Remark


def test_remarks_are_kept_by_sample_and_empty_ones_go():
    journal = Journal().remarked(9, Remark(True)).remarked(3, Remark(note="  the label is wrong "))
    assert dict(journal.remarks) == {3: Remark(note="the label is wrong"), 9: Remark(True)}
    assert journal.remark(9).marked
    assert journal.remark(4) == Remark()
    assert 9 not in journal.remarked(9, Remark()).remarks


def test_a_note_is_cut_to_what_a_report_can_hold():
    assert len(Journal().remarked(1, Remark(note="x" * 2_000)).remark(1).note) == LONGEST_NOTE
