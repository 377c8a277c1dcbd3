"""Names of what is stored at Google, in paths, requests and answers."""

import json

import pytest

from router.wire import resource_ids
from router.wire.gemini.requests import resource_names as names


@pytest.mark.parametrize(
    ("path", "collection", "found"),
    [
        ("/v1beta/files/abc-1", "files", ["files/abc-1"]),
        ("/v1beta/files/abc:download", "files", ["files/abc"]),
        ("/v1beta/cachedContents", "cachedContents", []),
        ("/v1/cachedContents/c", "cachedContents", ["cachedContents/c"]),
        ("/upload/v1beta/files", "files", []),
        ("/v1alpha/fileSearchStores/s/documents/d", "fileSearchStores", ["fileSearchStores/s"]),
        ("/v1beta/models/m:generateContent", "", []),
    ],
)
def test_a_path_names_its_object(path, collection, found):
    """The collection and the name are read from the path; what is asked of the object is no part of it."""
    assert (resource_ids.collection(path), names.find_in_path(path)) == (collection, found)


def test_a_body_names_files_caches_and_interactions():
    """Each once; a text that holds such words names nothing."""
    uri = "https://generativelanguage.googleapis.com/v1beta/files/f-1"
    part = {"fileData": {"fileUri": uri}}
    body = {"contents": [{"parts": [part, part, {"text": 'say "fileUri": "/files/x"'}]}]}
    body |= {"cachedContent": "cachedContents/c-1", "previous_interaction_id": "v1_abc"}
    found = names.find_in_body(json.dumps(body).encode())
    assert found == ["files/f-1", "cachedContents/c-1", "interactions/v1_abc"]
    assert names.find_in_body(b'{"contents": []}') == []


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"name": "cachedContents/c"}, [("cachedContents/c", "cachedContents")]),
        ({"file": {"name": "files/f", "uri": "x"}}, [("files/f", "files")]),
        ({"id": "v1_a", "object": "interaction"}, [("interactions/v1_a", "interactions")]),
        ({"id": "v1_a"}, []),
        ({"name": "models/m"}, []),
        ({"name": "a name of the user's"}, []),
        ([1], []),
    ],
    ids=str,
)
def test_an_answer_gives_out_names(answer, found):
    """Only names of collections count: other objects have names that are texts."""
    assert names.find_issued(json.dumps(answer).encode()) == found
