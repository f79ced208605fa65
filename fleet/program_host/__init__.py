"""One process that has imported a program serves every run of it: each is a fork, ready in milliseconds.

An engine starts the program in a new interpreter for each preview and each update, and asks pip twice what is
installed: some three seconds of CPU that come out the same every time. See docs/decisions/0008.

- client: what an engine's run asks for an address
- __main__: the process; it forks the forker, then answers engines
- language: the engine's LanguageRuntime protocol
- forker: forks the process that runs the program
- policies: the engines' policy plugins, which get forks too; analyzer is the plugin, policy_pack what the fork runs
"""
