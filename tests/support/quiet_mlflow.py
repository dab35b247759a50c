"""MLflow imported once with its warnings off: it warns about type hints of its own on import.

Import this module before any that imports MLflow; in tests a warning is an error.
"""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.pyfunc
    import mlflow.xgboost

__all__ = ["mlflow"]
