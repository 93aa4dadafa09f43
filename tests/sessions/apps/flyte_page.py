import flyte
import streamlit as st
from flyte import remote

from passthrough_auth.clients.flyte import init_passthrough

if "flyte" not in st.session_state:
    init_passthrough(project="demo", domain="development")
    st.session_state.flyte = True
with st.container(key="o_load"):
    st.text(remote.User.get().subject())
if st.button("train"):
    run = flyte.run(remote.Task.get(name="train", auto_version="latest"))
    with st.container(key="o_train"):
        st.text(run.name)
