"""Every error of the tree has a status on the HTTP face, and unknown ones reveal nothing."""

from __future__ import annotations

import json

from node import errors
from node.api.problems import STATUS, problem_response, refusal_response
from node.errors import Overloaded, Problem, XibiaoError
from node.registration.requests import ItemResult, refused


def _tree(root: type[XibiaoError]) -> set[type[XibiaoError]]:
    return {root}.union(*(_tree(leaf) for leaf in root.__subclasses__()))


def test_every_error_of_the_tree_has_a_status() -> None:
    ours = {cls for cls in _tree(XibiaoError) if cls.__module__ == errors.__name__}
    assert ours == set(STATUS)


def test_codes_of_errors_are_unique_and_have_both_texts() -> None:
    classes = list(STATUS)
    assert len({cls.code for cls in classes}) == len(classes)
    assert all(cls.zh and cls.en for cls in classes)


def test_problem_document_carries_code_texts_and_fields() -> None:
    error = errors.InvalidInput(
        "数据有误",
        "Not valid",
        problems=[Problem("attributes.net_kg", "required", "必填", "Required")],
    )
    response = problem_response(error)
    body = json.loads(bytes(response.body))
    assert response.status_code == 422
    assert response.media_type == "application/problem+json"
    assert (body["code"], body["zh"], body["en"]) == ("invalid_input", "数据有误", "Not valid")
    assert body["problems"] == [
        {"field": "attributes.net_kg", "code": "required", "zh": "必填", "en": "Required"}
    ]


def test_overload_says_when_to_come_back() -> None:
    response = problem_response(Overloaded(retry_after_s=7))
    assert response.status_code == 503
    assert response.headers["retry-after"] == "7"


def test_refused_item_of_a_single_registration_answers_with_the_status_of_its_code() -> None:
    taken = ItemResult("refused", code="already_registered", zh="已登记", en="Registered")
    unknown = ItemResult("refused", code="charset", zh="字符", en="Characters")
    assert refusal_response(taken).status_code == 409
    assert refusal_response(unknown).status_code == 422


def test_refused_item_with_a_code_of_its_own_answers_with_the_status_of_its_error() -> None:
    result = refused(errors.Conflict("占用", "Taken", code="a_new_code"), "88.111.1/A")
    assert (result.code, result.error) == ("a_new_code", "conflict")
    assert refusal_response(result).status_code == 409
    assert refused(errors.Conflict()).error == ""
