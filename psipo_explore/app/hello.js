// Say at once that a browser is here: what the sliders need is some megabytes, which may take long to come.
{
  const { baseUrl, kernelId } = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const address = new URL(`${baseUrl}api/kernels/${kernelId}/channels?session_id=hello`, location.href);
  const hello = new WebSocket(address.href.replace(/^http/, "ws"));
  hello.onopen = () => hello.close();
}
