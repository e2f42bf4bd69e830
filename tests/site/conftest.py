import lab


def pytest_configure(config):  # type: ignore[no-untyped-def]
    lab.register(config)
