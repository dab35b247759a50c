"""What holds for every test: a property is right or wrong, however long a busy machine takes."""

from hypothesis import HealthCheck, settings

# The first text that is drawn in a fresh checkout takes seconds: its tables are made then.
settings.register_profile("fairlead", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fairlead")
