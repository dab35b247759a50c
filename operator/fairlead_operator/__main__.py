"""``python -m fairlead_operator``."""

from fairlead_operator.main import main

main()
