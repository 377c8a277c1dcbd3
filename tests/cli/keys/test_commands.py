"""`fairlead keys`: what the commands refuse."""

from router.cli import main


def test_names_of_tools_keys_are_not_for_others(fairlead, monkeypatch, capsys):
    """The key of a tool is made with its file, which undoing the setup takes away: no other key has such a name."""
    for name, value in fairlead.environ.items():
        monkeypatch.setenv(name, value)
    assert main(["keys", "add", "tool-codex"]) == 1
    said = capsys.readouterr().err
    assert "tool-codex is a name of a key that is made for a tool" in said
    assert "fairlead setup codex" in said
    assert not (fairlead.home / "keys").exists()
