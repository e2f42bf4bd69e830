import lab

pytest_configure = lab.register
