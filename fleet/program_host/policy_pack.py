"""Run in a fork: the policy pack in the current folder, by the SDK's own module, as its script does in a process."""

import io
import os
import runpy
import sys

# Unbuffered, as the SDK's script has it: the engine waits for the port.
sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), write_through=True)
sys.path[0] = os.getcwd()
runpy.run_module("pulumi.policy", run_name="__main__", alter_sys=True)
