"""Users who look up one of ten words again and again."""

import random

from locust import HttpUser, constant, task


class Reader(HttpUser):
    wait_time = constant(0.05)

    @task
    def lookup(self):
        self.client.get(f"/lookup/word{random.randrange(10)}", name="/lookup")
