"""What callers may ask of one model version, as an OpenAPI document.  Pure.

Its schemas are those of the readers.  A test takes every answer that is described here from the
application, and holds it against the document.
"""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from fairlead_contract.http import (
    FORCE_TOKEN_HEADER,
    REQUEST_ID_HEADER,
    REQUEST_ID_PATTERN,
    VERSION_HEADER,
)
from fairlead_serving.server.classes import PLAIN, Classes
from fairlead_serving.server.feedback import MAX_BODY_BYTES, feedback_schema
from fairlead_serving.server.instances import MAX_INSTANCES, InstanceReader
from fairlead_serving.server.predictors.protocol import Method, Scale
from fairlead_serving.server.settings import RecordSettings, Settings
from fairlead_serving.server.shape import MAX_EXPLAIN_BYTES, MAX_EXPLAINED, Limits

Json: TypeAlias = dict[str, Any]

_RETRY_AFTER: Final = "retry-after"
_AUTHENTICATE: Final = "www-authenticate"
_TOKEN: Final = "feedbackToken"  # noqa: S105 - the name of a security scheme

# What is wrong with a body, whoever reads it.
_BODY_REFUSALS: Final[Mapping[HTTPStatus, str]] = MappingProxyType(
    {
        HTTPStatus.BAD_REQUEST: "The body is wrong; the message says where.",
        HTTPStatus.REQUEST_TIMEOUT: "The body took too long to arrive.",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is compressed otherwise than by gzip.",
        HTTPStatus.TOO_MANY_REQUESTS: "There is no room for the body now.",
    }
)


def describe_api(
    settings: Settings,
    reader: InstanceReader,
    classes: Classes = PLAIN,
) -> Json:
    """Describe the API of a version that takes what this reader reads."""
    paths = {
        "/predict": {"post": _predict(settings, reader)},
        "/explain": {"post": _explain(settings)},
    }
    schemas = {
        "Instance": reader.schema(),
        "PredictRequest": _PREDICT_REQUEST,
        "PredictResponse": _predict_response(settings, classes),
        "ExplainRequest": _EXPLAIN_REQUEST,
        "ExplainResponse": _explain_response(settings, reader, classes),
        "Error": _object(error={"type": "string"}),
    }
    schemes = {}
    if (record := settings.record) is not None:
        paths["/feedback"] = {"post": _feedback(settings, record)}
        schemas["FeedbackRequest"] = feedback_schema(record.task, classes)
        schemas["FeedbackResponse"] = _FEEDBACK_RESPONSE
        if record.feedback_token:
            schemes[_TOKEN] = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{settings.namespace}/{settings.model}",
            "version": settings.version,
            "description": _DESCRIPTION,
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": _headers(settings.version),
            "securitySchemes": schemes,
        },
    }


def _predict(settings: Settings, reader: InstanceReader) -> Json:
    limits = Limits.of(reader.columns, most=settings.max_body_bytes)
    seconds = settings.request_timeout.total_seconds()
    refusals = {
        **_BODY_REFUSALS,
        HTTPStatus.INTERNAL_SERVER_ERROR: "The model failed.",
        HTTPStatus.GATEWAY_TIMEOUT: f"There was no prediction within {seconds:g} seconds.",
    }
    return {
        "operationId": "predict",
        "summary": "Predict for each instance.",
        **_request("PredictRequest", limits.body_bytes, settings),
        "responses": {
            **_answer(HTTPStatus.OK, "A prediction for each instance.", "PredictResponse"),
            **_refusals(refusals, settings),
        },
    }


def _explain(settings: Settings) -> Json:
    seconds = settings.request_timeout.total_seconds()
    refusals = {
        **_BODY_REFUSALS,
        HTTPStatus.TOO_MANY_REQUESTS: "There is no room for the body now, or another explanation "
        "is under way.",
        HTTPStatus.INTERNAL_SERVER_ERROR: "The model failed.",
        HTTPStatus.NOT_IMPLEMENTED: "A model of this kind is not explained; the message says why.",
        HTTPStatus.GATEWAY_TIMEOUT: f"There was no explanation within {seconds:g} seconds.",
    }
    most = min(settings.max_body_bytes, MAX_EXPLAIN_BYTES)
    return {
        "operationId": "explain",
        "summary": "Say what each column adds to the score of each instance.",
        "description": "No prediction: not counted, not recorded, and not routed by gateways.",
        **_request("ExplainRequest", most, settings),
        "responses": {
            **_answer(HTTPStatus.OK, "An explanation for each instance.", "ExplainResponse"),
            **_refusals(refusals, settings),
        },
    }


def _feedback(settings: Settings, record: RecordSettings) -> Json:
    refusals = {
        **_BODY_REFUSALS,
        HTTPStatus.TOO_MANY_REQUESTS: "There is no room for the body now, or the namespace has "
        "given its share of feedback for today (UTC).",
        HTTPStatus.SERVICE_UNAVAILABLE: "Feedback cannot be stored now.",
    }
    if record.feedback_token:
        refusals[HTTPStatus.UNAUTHORIZED] = "The bearer token is missing or another one."
    return {
        "operationId": "giveFeedback",
        "summary": "Say what became of one instance of an earlier prediction.",
        "description": "Of two words for the same instance, the one given later counts.",
        **_request("FeedbackRequest", MAX_BODY_BYTES, settings),
        "responses": {
            **_answer(HTTPStatus.ACCEPTED, "The feedback is kept.", "FeedbackResponse"),
            **_refusals(refusals, settings),
        },
        **({"security": [{_TOKEN: []}]} if record.feedback_token else {}),
    }


def _request(schema: str, most: int, settings: Settings) -> Json:
    parameters = [REQUEST_ID_HEADER, "content-encoding"]
    if settings.force_token:
        parameters += [VERSION_HEADER, FORCE_TOKEN_HEADER]
    return {
        "parameters": [{"name": name, "in": "header", **_PARAMETERS[name]} for name in parameters],
        "requestBody": {
            "required": True,
            "description": f"At most {most} bytes, unpacked.",
            "x-max-bytes": most,
            "content": _content(schema),
        },
    }


def _refusals(refusals: Mapping[HTTPStatus, str], settings: Settings) -> Json:
    if settings.force_token:
        message = f"A request with {VERSION_HEADER} has not the token that it needs."
        refusals = {**refusals, HTTPStatus.FORBIDDEN: message}
    answers: Json = {}
    for status in sorted(refusals):
        answers |= _answer(status, refusals[status], "Error")
    return answers


def _answer(status: HTTPStatus, description: str, schema: str) -> Json:
    names = [VERSION_HEADER, REQUEST_ID_HEADER]
    if status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}:
        names.append(_RETRY_AFTER)
    if status is HTTPStatus.UNAUTHORIZED:
        names.append(_AUTHENTICATE)
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    answer = {"description": description, "headers": headers, "content": _content(schema)}
    return {str(status.value): answer}


def _content(schema: str) -> Json:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _object(**properties: Json) -> Json:
    """Return the schema of an object with these properties and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _predict_response(settings: Settings, classes: Classes) -> Json:
    described = _describe_answers(classes)
    return _object(
        model={"type": "string", "const": settings.model},
        version={"type": "string", "const": settings.version},
        predictionId={"type": "string", "format": "uuid", "description": "Feedback names it."},
        predictions={
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_INSTANCES,
            **described,
        },
    )


def _explain_response(settings: Settings, reader: InstanceReader, classes: Classes) -> Json:
    label: Json = {"enum": [*classes.labels, None]} if classes.labels else {"type": _NUMBER_OR_NULL}
    number = {"type": "number"}
    columns = {column.name: number for column in reader.columns}
    explanation = _object(
        **{"class": label | {"description": "Whose score it is; null for a regression."}},
        score=number,
        base=number | {"description": "What the attributions are added to: they make the score."},
        attributions=_object(**columns),
        error={
            "type": _NUMBER_OR_NULL,
            "description": "One standard error of the least certain; null where they are exact.",
        },
    )
    return _object(
        model={"type": "string", "const": settings.model},
        version={"type": "string", "const": settings.version},
        method={"enum": list(Method)},
        scale={"enum": list(Scale), "description": "What a score is."},
        explanations={
            "type": "array",
            "description": "In the order of the instances.",
            "minItems": 1,
            "maxItems": MAX_EXPLAINED,
            "items": explanation,
        },
    )


def _describe_answers(classes: Classes) -> Json:
    if not classes.labels:
        return {
            "description": "In the order of the instances: the probability of class 1 for "
            "binary-classification, those of all classes for multiclass-classification, the value "
            "for regression; or what the model gives in place of it.",
            "items": {},
        }
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "description": "In the order of the instances: the likeliest class, and the probability "
        "of each by its name.",
        "items": _object(
            label={"enum": list(classes.labels)},
            probabilities=_object(**dict.fromkeys(classes.names, share)),
        ),
    }


def _headers(version: str) -> Json:
    return {
        VERSION_HEADER: {
            "description": "The version that answered.",
            "required": True,
            "schema": {"type": "string", "const": version},
        },
        REQUEST_ID_HEADER: {
            "description": "That of the request. The built-in gateway gives one to those without.",
            "schema": _REQUEST_ID,
        },
        _RETRY_AFTER: {
            "description": "Seconds after which to send the request again.",
            "required": True,
            "schema": {"type": "integer", "minimum": 1},
        },
        _AUTHENTICATE: {
            "description": "How to authenticate.",
            "required": True,
            "schema": {"type": "string", "const": "Bearer"},
        },
    }


_DESCRIPTION: Final = (
    "The API of this version; another version of the Model may take other columns. "
    "Where a column is a number, true is read as 1 and false as 0. "
    "The built-in gateway passes on requests for these paths alone; what it answers by itself, "
    "for example 503 while no pod of the version can be reached, is plain text."
)
_REQUEST_ID: Final = {"type": "string", "pattern": f"^{REQUEST_ID_PATTERN}$"}
_PARAMETERS: Final = {
    REQUEST_ID_HEADER: {
        "description": "Kept with the prediction, logged and returned. Any other value is as none.",
        "schema": _REQUEST_ID,
    },
    "content-encoding": {
        "description": "How the body is compressed.",
        "schema": {"type": "string", "enum": ["gzip", "identity"]},
    },
    VERSION_HEADER: {
        "description": "Asks the gateway for this version, whatever its share of the traffic.",
        "schema": {"type": "string"},
    },
    FORCE_TOKEN_HEADER: {
        "description": "The token of the Secret that spec.serving.forceVersionSecret of the Model "
        f"names. {VERSION_HEADER} needs it.",
        "schema": {"type": "string"},
    },
}
_NUMBER_OR_NULL: Final = ["number", "null"]
_EXPLAIN_REQUEST: Final = _object(
    instances={
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_EXPLAINED,
        "items": {"$ref": "#/components/schemas/Instance"},
    }
)
_PREDICT_REQUEST: Final = _object(
    instances={
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_INSTANCES,
        "items": {"$ref": "#/components/schemas/Instance"},
    }
)
_FEEDBACK_RESPONSE: Final = _object(
    predictionId={"type": "string", "format": "uuid"},
    row={"type": "integer", "minimum": 0, "maximum": MAX_INSTANCES - 1},
)
