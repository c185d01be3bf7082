"""Only a Ctrl-C that was really pressed ends the program."""

import signal

import pytest

WAITS = """
    import sys, threading
    print("importing", file=sys.stderr, flush=True)
    WHEN_PRESSED
"""


def press_while_importing(site, body, code="import roleforge_llm as rf; rf.PluginHost().records; print('went on')"):
    site.add("slow", WAITS.replace("WHEN_PRESSED", body))
    with site.start(code) as process:
        try:
            while process.stderr.readline().strip() != "importing":
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize("body", ["threading.Event().wait(60)", "while True: pass"])
def test_a_press_while_a_plugin_is_imported_ends_the_program(site, body):
    code, out, err = press_while_importing(site, body)
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    assert out == ""


def test_a_plugin_cannot_turn_a_press_into_something_else(site):
    body = "try: threading.Event().wait(60)\n    except KeyboardInterrupt: sys.exit(0)"
    code, out, _ = press_while_importing(site, body)
    assert (code, out) == (-signal.SIGINT, "")


def test_the_applications_own_handler_is_called_and_kept(site):
    code = """
        import signal, roleforge_llm as rf
        seen = []
        def handler(number, frame):
            seen.append(number)
            raise SystemExit(7)
        signal.signal(signal.SIGINT, handler)
        try:
            rf.PluginHost()
        except KeyboardInterrupt:
            print(len(seen), signal.getsignal(signal.SIGINT) is handler)
    """
    assert press_while_importing(site, "threading.Event().wait(60)", code)[:2] == (0, "1 True\n")


def test_a_host_can_be_made_in_any_thread(site):
    site.add("interrupting", "raise KeyboardInterrupt")
    code = """
        import json, threading, roleforge_llm as rf
        found = []
        thread = threading.Thread(target=lambda: found.extend(r.status for r in rf.PluginHost().records if r.name == "interrupting"))
        thread.start(); thread.join()
        print(json.dumps(found))
    """
    assert site.run(code) == ["failed"]
