"""The Open Inference Protocol: the same rows and predictions, written as tensors."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
from prometheus_client import CollectorRegistry

from fairlead_serving.server.__main__ import build
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.inference import describe_model, parse_tensors, write_tensors
from fairlead_serving.server.instances import BadInputError, InstanceReader, TooLargeError
from fairlead_serving.server.predictors.protocol import PredictionError, Predictions
from fairlead_serving.server.signature import Column, Kind
from support.server_settings import server_settings

# BentoML's own classes do what pydantic deprecates, whenever a service is built.
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211")

READER = InstanceReader(
    [
        Column(name="price", kind=Kind.NUMBER),
        Column(name="region", kind=Kind.TEXT, mlflow_type="string", required=False),
    ],
    null_is_missing=True,
)
PRICE = {"name": "price", "datatype": "FP64", "shape": [2, 1], "data": [1.5, 2]}
LONG = {"name": "n" * 9000, "datatype": "FP64", "shape": [1, 1], "data": [1]}
REGION = {"name": "region", "datatype": "BYTES", "shape": [2], "data": ["north", None]}


def body(*inputs: Any, **fields: Any) -> bytearray:
    return bytearray(json.dumps({"inputs": list(inputs), **fields}).encode())


@pytest.mark.parametrize(
    ("asked", "instances"),
    [
        pytest.param(
            body(PRICE, REGION),
            [{"price": 1.5, "region": "north"}, {"price": 2, "region": None}],
            id="a tensor for each column",
        ),
        pytest.param(body(PRICE), [{"price": 1.5}, {"price": 2}], id="an optional one less"),
        pytest.param(
            body({**PRICE, "data": [[1.5], [2]]}), [{"price": 1.5}, {"price": 2}], id="nested"
        ),
        pytest.param(
            body(
                {**PRICE, "parameters": {}}, parameters={"a": 1}, outputs=[{"name": "predictions"}]
            ),
            [{"price": 1.5}, {"price": 2}],
            id="with what else the protocol has",
        ),
        pytest.param(body({**PRICE, "shape": [0], "data": []}), [], id="no rows"),
        pytest.param(body(), [], id="no columns"),
    ],
)
def test_tensors_are_read_as_rows(asked: bytearray, instances: list[Any]) -> None:
    assert parse_tensors(asked) == (instances, None)


def test_a_client_may_name_its_request() -> None:
    assert parse_tensors(body(PRICE, id="order-17")).name == "order-17"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (bytearray(b"{"), "body is not JSON"),
        (bytearray(b"[]"), "body has no list of inputs"),
        (bytearray(b'{"instances": []}'), "body has no list of inputs"),
        (body(7), "inputs[0] is not an object with a name"),
        (body({**PRICE, "name": 7}), "inputs[0] is not an object with a name"),
        (body(PRICE, PRICE), "inputs[1] is the column 'price' once more"),
        (body({**PRICE, "datatype": "float"}), "column 'price': datatype is 'float'; give one"),
        (body({**PRICE, "datatype": None}), "column 'price': datatype is missing"),
        (body({**PRICE, "datatype": []}), "column 'price': datatype is wrong"),
        (body({**PRICE, "data": None}), "column 'price': data is missing; give a list"),
        (body({**PRICE, "data": {"a": 1}}), "column 'price': data is wrong"),
        (body({**PRICE, "shape": [1, 2]}), "column 'price': shape is wrong; give [2, 1]"),
        (body({**PRICE, "shape": [3, 1]}), "column 'price': shape is wrong; give [2, 1]"),
        (body({**PRICE, "shape": None}), "column 'price': shape is missing"),
        (
            body(PRICE, {**REGION, "shape": [1], "data": ["north"]}),
            "same number of rows ('price' 2, 'region' 1",
        ),
        (body(LONG, LONG), "inputs[1] is the column 'nnnnn"),
        (body(PRICE, LONG), "same number of rows ('price' 2, 'nnnnn"),
        (body({**LONG, "shape": None}), "inputs[0], column 'nnnnn"),
        (body({**PRICE, "datatype": "n" * 9000}), "datatype is 'nnnnn"),
        (body(PRICE, id=7), "id is not a string"),
        (body(PRICE, id="a" * 129), "id is not a string of at most 128"),
        (body(PRICE, outputs=[{"name": "classes"}]), "there is 'predictions'"),
    ],
)
def test_what_is_not_as_the_protocol_has_it_is_refused_by_name(
    asked: bytearray, message: str
) -> None:
    with pytest.raises(BadInputError) as refusal:
        parse_tensors(asked)

    assert message in str(refusal.value)
    assert len(str(refusal.value)) < 200, "what a client calls a column is cut"


VALUES = (None, True, 0, -1, 1.5, 10**30, "", "FP64", [], [[]], [1, 1], {}, {"name": []}, [None])


@pytest.mark.parametrize(
    "place",
    [
        pytest.param(lambda value: value, id="the body"),
        pytest.param(lambda value: {"inputs": value}, id="inputs"),
        pytest.param(lambda value: {"inputs": [value]}, id="a tensor"),
        pytest.param(lambda value: {"inputs": [PRICE], "id": value}, id="id"),
        pytest.param(lambda value: {"inputs": [PRICE], "outputs": value}, id="outputs"),
        pytest.param(lambda value: {"inputs": [PRICE], "outputs": [value]}, id="an output"),
        pytest.param(
            lambda value: {"inputs": [PRICE], "outputs": [{"name": value}]}, id="an output's name"
        ),
        *(
            pytest.param(lambda value, field=field: {"inputs": [{**PRICE, field: value}]}, id=field)
            for field in ("name", "datatype", "shape", "data", "parameters")
        ),
        pytest.param(
            lambda value: {"inputs": [{**PRICE, "shape": [value], "data": [1]}]}, id="a length"
        ),
        pytest.param(
            lambda value: {"inputs": [{**PRICE, "shape": [1], "data": [value]}]}, id="a cell"
        ),
    ],
)
def test_no_value_anywhere_is_an_error_of_the_model(place: Callable[[Any], Any]) -> None:
    for value in VALUES:
        with contextlib.suppress(BadInputError):
            READER.read_rows(parse_tensors(bytearray(json.dumps(place(value)).encode())).instances)


def test_too_many_rows_are_too_large() -> None:
    with pytest.raises(TooLargeError, match="10001 rows"):
        parse_tensors(body({**PRICE, "shape": [10_001], "data": [0] * 10_001}))


@pytest.mark.parametrize(
    ("predictions", "tensor"),
    [
        pytest.param(
            np.array([0.5, 0.25], dtype=np.float32), ("FP64", [2, 1], [0.5, 0.25]), id="of 32 bits"
        ),
        pytest.param(
            np.array([[0.5, 0.5], [1, 0]]), ("FP64", [2, 2], [0.5, 0.5, 1, 0]), id="probabilities"
        ),
        pytest.param([1, 2.5], ("FP64", [2, 1], [1, 2.5]), id="a list"),
        pytest.param([1, 0], ("FP64", [2, 1], [1, 0]), id="whole numbers"),
        pytest.param([True, False], ("FP64", [2, 1], [1, 0]), id="true and false"),
        pytest.param(["up", "down"], ("BYTES", [2, 1], ["up", "down"]), id="names"),
        pytest.param(
            np.array([[1.0, 2.0], [3.0, 4.0]], order="F"),
            ("FP64", [2, 2], [1, 2, 3, 4]),
            id="order",
        ),
        pytest.param(np.arange(6.0)[::3], ("FP64", [2, 1], [0, 3]), id="a part of an array"),
    ],
)
def test_predictions_are_one_tensor(predictions: Predictions, tensor: tuple[Any, ...]) -> None:
    answer = write_tensors("m", "1.0.0", asked=None, prediction_id="p", predictions=predictions)

    written = json.loads(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY))
    (output,) = written.pop("outputs")
    assert (output["name"], output["datatype"], output["shape"], output["data"]) == (
        "predictions",
        *tensor,
    )
    assert written == {
        "model_name": "m",
        "model_version": "1.0.0",
        "id": "p",
        "parameters": {"predictionId": "p"},
    }


@pytest.mark.parametrize("predictions", [[{"a": 1}], [None], np.zeros((1, 1, 1))])
def test_what_is_no_tensor_is_an_error_of_the_model(predictions: Any) -> None:
    with pytest.raises(PredictionError, match="no tensor"):
        write_tensors("m", "1", asked="a", prediction_id="p", predictions=predictions)


@pytest.mark.parametrize(("gives_text", "datatype"), [(False, "FP64"), (True, "BYTES")])
def test_the_metadata_are_the_signature(datatype: str, *, gives_text: bool) -> None:
    assert describe_model("m", "1.0.0", READER, PLAIN, gives_text=gives_text) == {
        "name": "m",
        "versions": ["1.0.0"],
        "platform": "fairlead",
        "inputs": [
            {"name": "price", "datatype": "FP64", "shape": [-1, 1]},
            {"name": "region", "datatype": "BYTES", "shape": [-1, 1]},
        ],
        "outputs": [{"name": "predictions", "datatype": datatype, "shape": [-1, -1]}],
    }


async def test_named_classes_are_a_tensor_of_their_own() -> None:
    classes = Classes(labels=("no", "yes"))
    app = build(server_settings(), Prices(), CollectorRegistry(), classes=classes)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        told = (await client.get("/v2/models/nsw-price")).json()
        answer = await client.post(
            "/v2/models/nsw-price/infer", content=bytes(body({**PRICE, "data": [0.25, 0.75]}))
        )

    assert [output["name"] for output in told["outputs"]] == ["predictions", "labels"]
    assert [output["data"] for output in answer.json()["outputs"]] == [[0.25, 0.75], ["no", "yes"]]


class Prices:
    """Predicts the price itself."""

    reader = READER
    is_fast = True
    gives_text = False

    def predict(self, instances: object) -> Predictions:
        return [row[0] for row in READER.read_rows(instances)]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = build(server_settings(), Prices(), CollectorRegistry())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as each:
        yield each


@pytest.mark.parametrize("path", ["/v2/models/nsw-price", "/v2/models/nsw-price/versions/1.1.0"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_model_is_asked_by_its_name(
    client: httpx.AsyncClient, path: str, slash: str
) -> None:
    answer = await client.post(
        f"{path}/infer{slash}",
        content=bytes(body(PRICE, REGION, id="order-17")),
        headers={"x-request-id": "trace-4"},
    )

    told = answer.json()
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] == "trace-4"
    assert (told["model_name"], told["model_version"]) == ("nsw-price", "1.1.0")
    assert told["id"] == "order-17"
    assert told["outputs"][0]["data"] == [1.5, 2]
    assert len(told["parameters"]["predictionId"]) == 36


@pytest.mark.parametrize(
    ("method", "path", "status", "answer"),
    [
        ("GET", "/v2", 200, {"name": "fairlead", "version": "2", "extensions": []}),
        ("GET", "/v2/health/live", 200, {"live": True}),
        ("GET", "/v2/health/ready", 200, {"ready": True}),
        ("GET", "/v2/models/nsw-price/ready", 200, {"name": "nsw-price", "ready": True}),
        ("GET", "/v2/models/nsw-price/versions/1.1.0/ready", 200, None),
        ("GET", "/v2/models/nsw-price", 200, None),
        ("GET", "/v2/models/nsw-price/versions/1.1.0", 200, None),
        ("GET", "/v2/models/nsw-price/versions/1.0.0", 404, None),
        ("GET", "/v2/models/another/ready", 404, None),
        ("POST", "/v2/models/another/infer", 404, None),
        ("POST", "/v2/models/nsw-price/versions/1.0.0/infer", 404, None),
        ("GET", "/v2/models/nsw-price/infer", 405, {"error": "Method Not Allowed"}),
        ("POST", "/v2/models/nsw-price", 405, {"error": "Method Not Allowed"}),
    ],
)
async def test_what_else_the_protocol_asks(
    client: httpx.AsyncClient, method: str, path: str, status: int, answer: Any
) -> None:
    response = await client.request(method, path)

    assert response.status_code == status
    if answer is not None:
        assert response.json() == answer


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        (bytes(body({**PRICE, "data": [1, "x"]})), 400, "instances[1], column 'price': 'x' is not"),
        (bytes(body({**PRICE, "name": "cost"})), 400, "unknown column 'cost'"),
        (bytes(body(PRICE, outputs=3)), 400, "outputs asks for what there is not"),
        (bytes(body()), 400, "instances is empty"),
        (b" " * (1024 * 1024 + 1), 413, "more than 1048576 bytes"),
    ],
)
async def test_limits_and_refusals_are_those_of_predictions(
    client: httpx.AsyncClient, content: bytes, status: int, message: str
) -> None:
    answer = await client.post("/v2/models/nsw-price/infer", content=content)
    counted = (await client.get("/metrics")).text

    assert answer.status_code == status
    assert message in answer.json()["error"]
    labels = 'model="nsw-price",outcome="bad_input",version="1.1.0"'
    assert f"fairlead_predictions_total{{{labels}}} 1.0" in counted


async def test_a_large_request_is_answered_as_well(client: httpx.AsyncClient) -> None:
    many = {**PRICE, "shape": [8000], "data": list(range(8000))}

    answer = await client.post("/v2/models/nsw-price/infer", content=bytes(body(many)))

    assert answer.json()["outputs"][0]["data"][-1] == 7999
