"""The components on AWS. Their inputs and outputs are those of `components.contracts`."""
