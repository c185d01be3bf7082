import roleforge_llm as rf

rf.render("Hi", 42)  # wrong
client_class = rf.Clint  # wrong

with rf.Client.from_config() as client:
    number: int = client.complete([rf.Message("user", "Hi")]).text  # wrong
    client.complete([rf.Message("user", "Hi")], timeout="soon")  # wrong
