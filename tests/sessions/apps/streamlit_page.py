import threading

import streamlit as st
from streamlit.runtime.scriptrunner import add_script_run_ctx
from who import who

from passthrough_auth.sessions import current_session


def show(name: str, text: object) -> None:
    with st.container(key=f"o_{name}"):
        st.text(text)


show("load", who())
show("expires", current_session() is not None)
if st.button("sync"):
    st.session_state.sync = who()
show("sync", st.session_state.get("sync", "-"))


if st.button("count"):
    st.session_state.clicks = st.session_state.get("clicks", 0) + 1
    st.session_state.count = f"{who()} {st.session_state.clicks}"
show("count", st.session_state.get("count", "-"))


def on_click() -> None:
    st.session_state.callback = who()


st.button("callback", on_click=on_click)
show("callback", st.session_state.get("callback", "-"))


@st.fragment(run_every=0.5)
def fragment() -> None:
    show("fragment", who())


fragment()
heard: list[str] = []
for name in ("thread", "attached"):
    thread = threading.Thread(target=lambda: heard.append(who()))
    if name == "attached":
        add_script_run_ctx(thread)
    thread.start()
    thread.join()
show("thread", heard[0])
show("attached", heard[1])
said = st.chat_input("say", key="chat")
show("chat", who() if said else "-")
