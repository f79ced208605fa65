"""Run in a fork: the policy pack in the current folder, by the SDK's own module, as its script does in a process."""

import os
import runpy
import sys

sys.path[0] = os.getcwd()
runpy.run_module("pulumi.policy", run_name="__main__", alter_sys=True)
