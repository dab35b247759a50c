"""What operator, model server, gateway agent and trainer must agree on to the letter.

Values and pure functions, each in one place.  This package imports none of the others; they
import it, and not each other.  ADR 13 says what belongs here and what does not.
"""
