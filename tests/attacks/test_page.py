"""The page of attacks holds every probe, and says what the tests hold."""

from . import page


def test_the_page_is_up_to_date():
    """It is what `python -m tests.attacks.page` would write."""
    assert page.PAGE.read_text("utf-8") == page.write_page()


def test_each_probe_is_readable():
    """A row is one line of ASCII, with both cells, and no two rows of an area are the same."""
    for area, probes in page.read_areas().items():
        assert probes, area
        assert len(set(probes.values())) == len(probes), area
        for name, probe in probes.items():
            for cell in probe:
                assert cell.isascii(), name
                assert cell.isprintable(), name
                assert cell.strip() == cell, name
                assert cell, name
                assert "|" not in cell, name
