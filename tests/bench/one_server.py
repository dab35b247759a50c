"""The process of one of the servers that are compared, with nothing in it but what it needs.

What it has in memory is measured: it imports no other module of the benchmarks.
"""

import argparse
from datetime import timedelta
from pathlib import Path

COLUMNS = [f"c{at}" for at in range(30)]


def serve_fairlead(folder: Path, port: int) -> None:
    """Run our server without the download."""
    from prometheus_client import CollectorRegistry  # noqa: PLC0415 - the other server does without

    from fairlead_contract.mlflow import Access  # noqa: PLC0415
    from fairlead_serving.server import __main__ as server  # noqa: PLC0415
    from fairlead_serving.server.artifact import read_artifact  # noqa: PLC0415
    from fairlead_serving.server.predictors.flavors import open_predictor  # noqa: PLC0415
    from fairlead_serving.server.settings import Settings, prepare_libraries  # noqa: PLC0415

    prepare_libraries(folder)
    settings = Settings(
        namespace="bench",
        model="bench",
        version="1.0.0",
        registered_model="bench.bench",
        registry_version="1",
        digest="",
        mlflow=Access(address=""),
        request_timeout=timedelta(seconds=5),
        host="127.0.0.1",
        port=port,
    )
    predictor = open_predictor(read_artifact(folder), allows_code=False)
    app = server.build(settings, predictor, CollectorRegistry())
    server.serve(app, settings)


def serve_fastapi(folder: Path, port: int) -> None:
    """Run the least that is correct: named columns in, a probability out."""
    import numpy as np  # noqa: PLC0415 - the other server does without
    import uvicorn  # noqa: PLC0415
    import xgboost  # noqa: PLC0415
    from fastapi import FastAPI  # noqa: PLC0415
    from pydantic import BaseModel  # noqa: PLC0415

    class Question(BaseModel):
        instances: list[dict[str, float]]

    class Answer(BaseModel):
        predictions: list[float]

    booster = xgboost.Booster()
    booster.load_model(folder / "model.ubj")
    booster.set_param({"nthread": 1})
    app = FastAPI()

    @app.post("/predict")
    async def predict(question: Question) -> Answer:
        rows = np.array([[row[name] for name in COLUMNS] for row in question.instances])
        return Answer(predictions=booster.inplace_predict(rows).tolist())

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run one of the servers that are compared.")
    parser.add_argument("--serve", choices=["fairlead", "fastapi"], required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    serve = serve_fairlead if given.serve == "fairlead" else serve_fastapi
    serve(given.folder, given.port)


if __name__ == "__main__":
    main()
