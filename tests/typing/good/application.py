import roleforge_llm as rf

messages: list[rf.Message | dict[str, object]] = [rf.Message("user", "Hi"), {"role": "assistant", "content": "Well"}]
prompt: rf.Prompt = rf.render([rf.Message("user", "Hi")], "alpaca")
text: str = prompt.text

with rf.Client.from_config() as client:
    completion: rf.Completion = client.complete([rf.Message("user", "Hi")], timeout=5.0)
    reply: str = completion.text
    for attempt in completion.attempts:
        print(attempt.profile, attempt.waited)
    with client.stream([rf.Message("user", "Hi")]) as stream:
        pieces: list[str] = list(stream)

host = rf.PluginHost(entry_points=False, plugins=[object()])
for record in host.records:
    print(record.status, record.error)


async def main() -> None:
    async with rf.AsyncClient.from_config() as asynchronous:
        done: rf.Completion = await asynchronous.complete([rf.Message("user", "Hi")])
        print(done.text)
