"""What holds for every test: a property is right or wrong, however long a busy machine takes."""

import os

from hypothesis import HealthCheck, settings

# The same examples in each run, so that a run says what the change did.  `make properties` looks
# for new ones.  The first text that is drawn in a fresh checkout takes seconds: its tables are
# made then.
settings.register_profile(
    "fairlead", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile(
    "search",
    max_examples=int(os.environ.get("EXAMPLES", "3000")),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("PROPERTIES", "fairlead"))
