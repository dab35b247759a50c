"""Libraries that write or warn while they are imported do it here, once, where it does no harm."""

import os
import tempfile
import warnings

_HOME = tempfile.TemporaryDirectory(prefix="bentoml-")
os.environ["BENTOML_HOME"] = _HOME.name
os.environ["BENTOML_DO_NOT_TRACK"] = "True"

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import fairlead_serving.server.predictors.pyfunc
    import fairlead_serving.server.service

__all__ = ["fairlead_serving"]
