# RUN np=1 long time=3600 -- calls.sh with every single call failing in its turn
DIPPER_FULL=1 exec bash "$DIPPER_SOURCE/tests/faults/calls.sh"
