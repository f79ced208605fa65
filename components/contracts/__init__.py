"""The inputs and outputs that a capability has on every cloud, each in a file of the same name as the component's.

A component takes one of the `...Args` and offers the attributes of the protocol of the same name, so a program
picks `components.aws` or `components.gcp` and nothing after that asks which.
"""
