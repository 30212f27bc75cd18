# RUN np=1 long time=900 -- runtime.py on 1,000,000 rows of a symmetric and a depth-wise model, both operators
import os
import runpy

os.environ["ROWS"] = "1000000"
runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "runtime.py"))
