import shutil
import sys

import pytest
from conftest import eventually, free_port
from selenium import webdriver
from selenium.webdriver.common.by import By

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture
def browser():
    if not (BROWSER and DRIVER):
        pytest.skip("SKIPPED LOUDLY: chromium and chromium-driver are not installed and could not be")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for word in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "no-first-run"):
        options.add_argument(f"--{word}")
    for word in ("disable-background-networking", "disable-component-update", "disable-sync", "disable-quic"):
        options.add_argument(f"--{word}")
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


def test_two_windows_on_two_processes(processes, browser, ochre):
    windows = []
    for _ in range(2):
        port = free_port()
        words = [sys.executable, "-m", "uvicorn", "app:app", "--port", port, "--log-level", "warning"]
        address = processes.serve(*words, port=port)
        browser.switch_to.new_window("tab")
        browser.get(address)
        eventually(lambda: browser.title == "Chat: connected")
        windows.append(browser.current_window_handle)
    # Both are subscribed once the channel has two listeners.
    eventually(lambda: ochre.client().pubsub_numsub("room") == [("room", 2)])

    def lines():
        return [item.text for item in browser.find_elements(By.CSS_SELECTOR, "#lines li")]

    for window, text in zip(windows, ["hello", "<b>who is there?</b>"]):
        browser.switch_to.window(window)
        browser.find_element(By.ID, "text").send_keys(text)
        browser.find_element(By.TAG_NAME, "button").click()
        eventually(lambda: text in lines())
    for window in windows:
        browser.switch_to.window(window)
        eventually(lambda: lines() == ["hello", "<b>who is there?</b>"])
    browser.refresh()
    eventually(lambda: lines() == ["hello", "<b>who is there?</b>"])
