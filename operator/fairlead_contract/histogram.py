"""The bounds at which answer times are counted.

A count of answers up to a bound exists only where the histogram has that very bound.  So the
gateway and the model servers have all of these, and a check asks for no other.
"""

from typing import Final

MILLISECONDS: Final = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000)
