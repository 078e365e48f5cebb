"""python -m saescope: the program that comes with the package."""
import os
import shutil
import sys
from pathlib import Path


def main():
    here = Path(__file__).resolve().parent
    # In a wheel it lies beside this file; in a build folder above the package; else it was installed by itself.
    program = next((path for path in (here / "saescope", here.parents[1] / "saescope") if path.is_file()), shutil.which("saescope"))
    if program is None:
        sys.exit("the package was built without the program; install saescope, or build a wheel")
    os.execv(program, [str(program), *sys.argv[1:]])


if __name__ == "__main__":
    main()
